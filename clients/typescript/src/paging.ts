interface Page {
  next_cursor: string | null;
}

/** All pages of a list: `pages((cursor) => answer(orders.GET("/orders", { params: { query: { ...cursor } } })))`. */
export async function* pages<SomePage extends Page>(
  ask: (cursor: { cursor?: string }) => Promise<SomePage>,
): AsyncGenerator<SomePage, void, undefined> {
  let cursor: { cursor?: string } = {};
  for (;;) {
    const page = await ask(cursor);
    yield page;
    if (page.next_cursor === null) return;
    cursor = { cursor: page.next_cursor };
  }
}
