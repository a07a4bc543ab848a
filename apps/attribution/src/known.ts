import { peekClickId } from '@baton/contracts';
import { allVersions, linksByNumber, type Tx } from '@baton/platform';
import type { ConversionRow, PersonKey } from './attribution.store';
import type { ClickRow } from './click.store';
import type { Click, LinkPlace, Terms } from './domain/facts';
import { termsInForce } from './domain/terms';
import { distinct, groupBy } from './grouping';
import type { Stores } from './revise';

/** Everything that the decisions need, in five reads whatever the number of conversions. */
export async function readKnown({ facts, clicks }: Pick<Stores, 'facts' | 'clicks'>, tx: Tx, rows: readonly ConversionRow[]) {
  const reversals = groupBy(await facts.reversalsOf(tx, rows), (r) => `${r.tenantId} ${r.externalId}`);
  const pending = rows.filter(({ pendingVerification }) => pendingVerification);
  const verifications = groupBy(pending.length > 0 ? await facts.verificationsOf(tx, pending) : [], (v) => `${v.tenantId} ${v.externalId}`);
  const touched = await clicks.ofPersons(
    tx,
    distinct(rows, personOf).map(({ tenantId, root }) => ({ tenantId, root })),
  );
  const unrecorded = distinct(
    touched.filter((c) => !c.record).map((c) => ({ tenantId: c.tenantId, number: readId(c).linkNumber })),
    (l) => `${l.tenantId} ${l.number}`,
  );
  const links = new Map(
    (await linksByNumber(tx, unrecorded)).map((l) => [
      `${l.tenantId} ${l.number}`,
      { linkId: l.id, programId: l.programId, partnerId: l.partnerId },
    ]),
  );
  const byPerson = groupBy(touched, personOf, (row) => clickOf(row, links));
  const programs = [
    ...[...rows, ...touched.map((c) => ({ tenantId: c.tenantId, programId: c.record?.programId ?? null }))],
    ...[...links].map(([key, link]) => ({ tenantId: key.slice(0, 36), programId: link.programId })),
  ];
  const wanted = distinct(
    programs.flatMap(({ tenantId, programId }) => (programId ? [{ tenantId, id: programId }] : [])),
    (p) => `${p.tenantId} ${p.id}`,
  );
  const versions = groupBy(await allVersions(tx, 'program', wanted), (p) => `${p.tenantId} ${p.id}`);
  return {
    reversals: (row: ConversionRow) => reversals.get(`${row.tenantId} ${row.externalId}`) ?? [],
    verifications: (row: ConversionRow) => verifications.get(`${row.tenantId} ${row.externalId}`) ?? [],
    clicks: (row: ConversionRow) => byPerson.get(personOf(row)) ?? [],
    terms: (row: ConversionRow): ReadonlyMap<string, Terms> => {
      const ids = [row.programId, ...(byPerson.get(personOf(row)) ?? []).map((c) => (c.record ?? c.link)?.programId)];
      return new Map(
        distinct(ids, String).flatMap((id) => {
          const terms = id ? termsInForce(versions.get(`${row.tenantId} ${id}`) ?? [], row.occurredAtMs) : undefined;
          return id && terms ? [[id, terms] as const] : [];
        }),
      );
    },
  };
}

function clickOf(row: ClickRow, links: ReadonlyMap<string, LinkPlace>): Click {
  const { linkNumber, occurredAtMs } = readId(row);
  return {
    clickId: row.clickId,
    linkNumber,
    occurredAtMs,
    customerIds: row.customerIds,
    record: row.record,
    link: links.get(`${row.tenantId} ${linkNumber}`) ?? null,
  };
}

/** Stored click ids were verified before they were stored. */
function readId({ clickId }: { readonly clickId: string }): { linkNumber: number; occurredAtMs: number } {
  const id = peekClickId(clickId);
  if (!id) throw new Error(`the stored click id ${clickId} is not one`);
  return id;
}

const personOf = ({ tenantId, root }: PersonKey): string => `${tenantId} ${root}`;
