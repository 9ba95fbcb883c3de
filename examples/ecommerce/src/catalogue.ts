import type { Product } from "./shop-database.ts";

/** What the shop has on its shelves when it opens. The last lamp is nearly gone, so that some orders come too late. */
export const catalogue: readonly Product[] = [
  { productId: "desk-lamp", name: "Desk lamp", received: 5_000 },
  { productId: "mug", name: "Mug", received: 5_000 },
  { productId: "notebook", name: "Notebook", received: 5_000 },
  { productId: "tea", name: "Tea", received: 5_000 },
  { productId: "last-lamp", name: "Last year's lamp", received: 8 },
];
