/** The code that is deployed over runs of version 1. */
import { workflow } from "@everstep/core";

/** Somebody renamed a step. */
const renamed = workflow({ name: "renamed" }, async (ctx) => {
  console.log("printed outside of any step");
  await ctx.step("charge-card", () => 1);
  await ctx.waitForSignal("go");
});

/** With the old name: what should have been deployed. */
const renamedWell = workflow({ name: "renamed", version: "2" }, async (ctx) => {
  await ctx.step("charge-card", () => 1, { was: ["charge"] });
  await ctx.waitForSignal("go");
});

export const kept = workflow({ name: "kept" }, async (ctx) => {
  await ctx.waitForSignal("go");
});

export const retired = workflow({ name: "retired", version: "2" }, async (ctx) => {
  await ctx.waitForSignal("go");
});

export const versions = [renamed, renamedWell, kept];
