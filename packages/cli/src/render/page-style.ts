/** How a run's page looks: on a phone, on a wide screen, in the dark, and on paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfbfa, #15171a); --card: light-dark(#fff, #1d2024); --ink: light-dark(#1d2129, #e4e6ea);
  --dim: light-dark(#667080, #949dab); --line: light-dark(#e4e6ea, #32363d); --track: light-dark(#f1f2f4, #262a30);
  --work: light-dark(#3b76d6, #6ea2f5); --wait: light-dark(#a9b2c0, #5d6675); --child: light-dark(#8b5fc7, #b592ea);
  --undo: light-dark(#c2691c, #eba05b); --order: light-dark(#a67c00, #e3bd4f); --good: light-dark(#23824a, #57c480);
  --bad: light-dark(#c92f3a, #ff7f85); --bad-paper: light-dark(#fdf0f0, #33191c); --note-paper: light-dark(#eef4fd, #1a2638);
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 0 auto; padding: 2rem 1.5rem; background: var(--paper); color: var(--ink); }
h1, h2, p, dl, dd, pre, ul { margin: 0; }
h1 { font: 600 1.45rem/1.3 ui-monospace, monospace; overflow-wrap: anywhere; }
h2 { font-size: 1rem; font-weight: 600; margin: 2.2rem 0 .7rem; }
header p { color: var(--dim); margin-bottom: .2rem; overflow-wrap: anywhere; }
.status { display: inline-block; vertical-align: .15em; margin-left: .5rem; padding: .05rem .65rem; border-radius: 1rem; font: 600 .8rem/1.6 system-ui, sans-serif; color: var(--dim); border: 1.5px solid currentcolor; white-space: nowrap; }
.status.completed { color: var(--good); } .status.stuck, .status.failed { color: var(--bad); }
.status.running, .status.ready { color: var(--work); } .status.compensating, .status.canceled { color: var(--undo); }
.callout { margin-top: 1.2rem; padding: .8rem 1.1rem; border-left: 4px solid var(--work); border-radius: .3rem; background: var(--note-paper); overflow-wrap: anywhere; white-space: pre-wrap; }
.callout.bad { border-color: var(--bad); background: var(--bad-paper); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem 2rem; margin-top: 1.4rem; }
.facts .wide { grid-column: 1 / -1; }
dt { color: var(--dim); font-size: .82rem; } dd { overflow-wrap: anywhere; white-space: pre-wrap; }
.data { font: .87rem/1.5 ui-monospace, monospace; max-height: 20rem; overflow: auto; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: clip; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: normal; font-size: .82rem; color: var(--dim); background: var(--card); }
thead { position: sticky; top: 0; box-shadow: 0 1px var(--line); }
th, td { padding: .42rem .7rem; vertical-align: top; overflow-wrap: anywhere; }
tbody tr + tr td { border-top: 1px solid var(--line); }
.seq { width: 3.6rem; color: var(--dim); } .what { width: 22%; } .bar { width: 24%; } .at, .took { width: 6.2rem; white-space: nowrap; }
.seq, .at, .took { text-align: right; } .at { color: var(--dim); }
.key { font-family: ui-monospace, monospace; font-size: .92rem; font-weight: 600; margin-right: .5rem; } .kind { color: var(--dim); font-size: .82rem; white-space: nowrap; }
.outcome { white-space: pre-wrap; } .outcome .data { white-space: pre-wrap; }
summary { cursor: pointer; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: .8rem; margin-top: .35rem; border-radius: .2rem; background: var(--track); }
rect { fill: var(--work); } .wait rect { fill: var(--wait); } .child rect { fill: var(--child); } .undo rect { fill: var(--undo); }
.order rect { fill: var(--order); } .good rect { fill: var(--good); } .bad rect { fill: var(--bad); }
.order .key, .order .outcome { color: var(--order); } .undo .kind { color: var(--undo); } .bad .outcome, .error { color: var(--bad); }
.good .key { color: var(--good); } .bad .key { color: var(--bad); }
.began .key, .began .kind { font-weight: normal; color: var(--dim); }
.superseded { opacity: .55; } .superseded .key { text-decoration: line-through; }
.axis { display: flex; justify-content: space-between; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin-bottom: .6rem; color: var(--dim); font-size: .82rem; }
.legend span { display: flex; align-items: center; gap: .4rem; } .legend svg { width: 1rem; height: .6rem; margin: 0; }
ul { padding-left: 1.4rem; } li { margin: .25rem 0; overflow-wrap: anywhere; } .children { padding: .8rem 1.2rem; } .children ul { list-style: none; } .children > ul { padding: 0; }
.rows p { padding: .5rem .9rem; } .rows p + p { border-top: 1px solid var(--line); } .rows p, .rows .error { overflow-wrap: anywhere; } .rows .error { display: block; white-space: pre-wrap; }
.command { display: block; font: .87rem/1.5 ui-monospace, monospace; user-select: all; }
footer { margin-top: 2.5rem; color: var(--dim); font-size: .82rem; }
@media (max-width: 50rem) {
  body { padding: 1rem .8rem; font-size: 14px; }
  .timeline thead tr { display: block; } .timeline th { display: none; } .timeline th.bar { display: block; width: auto; padding-left: 3.2rem; }
  .timeline tbody tr { display: grid; grid-template-columns: 2.5rem 1fr auto; gap: 0 .6rem; padding: .5rem .7rem; }
  .timeline tbody tr + tr { border-top: 1px solid var(--line); }
  .timeline tbody td { padding: 0; border: 0; width: auto; }
  .timeline .seq { grid-row: 1 / span 3; text-align: left; } .timeline .what { grid-area: 1 / 2; } .timeline .took { grid-area: 1 / 3; }
  .timeline .at { display: none; } .timeline .bar { grid-area: 2 / 2 / auto / span 2; } .timeline .outcome { grid-area: 3 / 2 / auto / span 2; }
  .timeline .outcome:not(:empty) { margin-top: .3rem; }
}
@media print { body { max-width: none; padding: 0; background: none; } tr { break-inside: avoid; } thead { position: static; } svg, rect, .callout { print-color-adjust: exact; } }
`;
