/**
 * What everstep needs of a transaction that the application has open: to send a statement with its values, which are texts,
 * whole numbers and nulls, each used once and in their order. A `pg` client is one as it is; the functions below make one of what
 * other libraries hand out. They know these libraries by shape only, so none of them is needed.
 */
export interface PostgresTx {
  query(text: string, values: (string | number | null)[]): PromiseLike<{ readonly rows: readonly unknown[] }>;
}

/** Of a Kysely transaction and Kysely's own `CompiledQuery`. https://kysely-org.github.io/kysely-apidoc/classes/CompiledQuery.html */
export function kyselyTx<Query>(
  trx: { executeQuery(query: Query): Promise<{ readonly rows: readonly unknown[] }> },
  CompiledQuery: { raw(sql: string, parameters: unknown[]): Query },
): PostgresTx {
  return { query: (text, values) => trx.executeQuery(CompiledQuery.raw(text, values)) };
}

/** Drizzle's `sql`, as far as it is needed here. */
interface DrizzleSql<Chunk> {
  (strings: TemplateStringsArray, ...values: unknown[]): Chunk;
  raw(text: string): Chunk;
  join(chunks: Chunk[], separator?: Chunk): Chunk;
}

/** Of a transaction of drizzle-orm/node-postgres and Drizzle's own `sql`. https://orm.drizzle.team/docs/sql */
export function drizzleTx<Chunk>(
  tx: { execute(query: Chunk): PromiseLike<{ readonly rows: readonly unknown[] }> },
  sql: DrizzleSql<Chunk>,
): PostgresTx {
  return { query: (text, values) => tx.execute(sql.join(chunksOf(text, values, sql), sql.raw(""))) };
}

/**
 * `$1` becomes the first value, as a parameter: nothing that a caller gave is ever part of the text. The last `$1` is meant, for a
 * schema's name before it may hold anything.
 */
function chunksOf<Chunk>(text: string, values: readonly unknown[], sql: DrizzleSql<Chunk>): Chunk[] {
  const chunks: Chunk[] = [];
  let before = text;
  for (let no = values.length; no > 0; no--) {
    const hole = `$${no}`;
    const at = before.lastIndexOf(hole);
    chunks.unshift(sql`${values[no - 1]}`, sql.raw(before.slice(at + hole.length)));
    before = before.slice(0, at);
  }
  return [sql.raw(before), ...chunks];
}

/** Of Prisma's interactive transaction. https://www.prisma.io/docs/orm/prisma-client/queries/raw-database-access/raw-queries */
export function prismaTx(tx: {
  $queryRawUnsafe(query: string, ...values: unknown[]): PromiseLike<unknown>;
}): PostgresTx {
  return {
    query: (text, values) =>
      tx.$queryRawUnsafe(text, ...values).then((rows) => ({ rows: rows as readonly unknown[] })),
  };
}
