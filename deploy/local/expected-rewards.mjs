// What must be owed, computed from the client's journal alone: written against the documents, not against the services' code.

/**
 * journal: clicks [{clickId, partnerId, atMs}], conversions [{externalId, clickId?, customerId?, amountMinor, occurredAtMs}],
 * identities [{clickId?, customerId?, …}], reversals [{externalId, amountMinor|null, occurredAtMs, id}].
 * Gives external id -> { partnerId, amountMinor } for each conversion that somebody earned.
 */
export function expectedRewards(journal, { basisPoints, windowMs, clockSkewMs }) {
  const clicks = new Map(journal.clicks.map((click) => [click.clickId, click]));
  const person = persons(journal);
  const ofPerson = Map.groupBy
    ? Map.groupBy(journal.clicks, (c) => person(`click:${c.clickId}`))
    : groupBy(journal.clicks, (c) => person(`click:${c.clickId}`));
  const rewards = new Map();
  for (const conversion of journal.conversions) {
    const winner = credited(conversion, clicks, ofPerson.get(person(`order:${conversion.externalId}`)) ?? [], windowMs, clockSkewMs);
    if (!winner) continue;
    const net = netOf(
      conversion,
      journal.reversals.filter((r) => r.externalId === conversion.externalId),
    );
    // Half up, in whole numbers: 500 at 2.9 % is 14.5 and so 15.
    const amountMinor = Number((BigInt(net) * BigInt(basisPoints) * 2n + 10_000n) / 20_000n);
    rewards.set(conversion.externalId, { partnerId: winner.partnerId, amountMinor, netMinor: net });
  }
  return rewards;
}

function credited(conversion, clicks, touches, windowMs, clockSkewMs) {
  const named = clicks.get(conversion.clickId);
  const inWindow = (click) => conversion.occurredAtMs - click.atMs <= windowMs;
  if (named && inWindow(named) && named.atMs - conversion.occurredAtMs <= clockSkewMs) return named;
  return touches
    .filter((click) => click.atMs <= conversion.occurredAtMs && inWindow(click))
    .sort((a, b) => b.atMs - a.atMs || (a.clickId < b.clickId ? 1 : -1))[0];
}

function netOf(conversion, reversals) {
  let net = conversion.amountMinor;
  for (const { amountMinor } of reversals.sort((a, b) => a.occurredAtMs - b.occurredAtMs || (a.id < b.id ? -1 : 1)))
    net -= Math.min(net, amountMinor ?? net);
  return net;
}

/** Union-find over everything that was named together. */
function persons({ conversions, identities }) {
  const parent = new Map();
  const find = (x) => {
    let root = x;
    while (parent.has(root)) root = parent.get(root);
    return root;
  };
  const join = (names) =>
    names.reduce((a, b) => {
      const [x, y] = [find(a), find(b)];
      if (x !== y) parent.set(y, x);
      return a;
    });
  for (const { externalId, clickId, customerId } of conversions)
    join([`order:${externalId}`, ...(clickId ? [`click:${clickId}`] : []), ...(customerId ? [`customer:${customerId}`] : [])]);
  for (const { clickId, customerId } of identities) join([`click:${clickId}`, `customer:${customerId}`]);
  return find;
}

function groupBy(values, key) {
  const groups = new Map();
  for (const value of values) groups.set(key(value), [...(groups.get(key(value)) ?? []), value]);
  return groups;
}
