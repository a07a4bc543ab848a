// A small program to try things with: one tenant, one partner with a link, ten percent of each sale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { call, operator, waitFor } from './api.mjs';

export const ALL_SCOPES = ['conversions:write', 'reversals:write', 'identities:write', 'receipts:read', 'rewards:read'];

/** Makes a tenant with a program, a partner, a link, a plan and an API key. Amounts earn `basisPoints`; holds last `holdDays`. */
export async function makeProgram(
  urls,
  adminKey,
  { name = 'Demo shop', holdDays = 30, basisPoints = 1_000, destination = 'https://shop.example/spring' } = {},
) {
  const tenant = await operator(urls, adminKey).post('/v1/tenants', { name });
  const admin = operator(urls, adminKey, tenant.id);
  const program = await admin.post('/v1/programs', {
    name: 'Spring',
    destination_hosts: [new URL(destination).hostname],
    hold_days: holdDays,
    window_days: 30,
    utm: { source: 'partner', campaign: 'spring' },
  });
  const partner = await admin.post('/v1/partners', { name: 'The Garden Blog' });
  const plan = await admin.post('/v1/plans', {
    program_id: program.id,
    name: 'Share of each sale',
    kind: 'percentage',
    basis_points: basisPoints,
  });
  const link = await admin.post('/v1/links', { program_id: program.id, partner_id: partner.id, destination });
  const key = await admin.post('/v1/api-keys', { name: 'demo server', scopes: ALL_SCOPES });
  return {
    tenantId: tenant.id,
    programId: program.id,
    partnerId: partner.id,
    planId: plan.id,
    linkId: link.id,
    slug: link.slug,
    catalogVersion: link.catalog_version,
    apiKey: key.key,
  };
}

/** The demo program of this clone, made once. */
export async function seedDemo(urls, adminKey, file) {
  if (existsSync(file)) {
    const demo = JSON.parse(readFileSync(file, 'utf8'));
    const known = await call(`${urls['control-plane']}/v1/tenants/${demo.tenantId}`, { headers: { authorization: `Bearer ${adminKey}` } });
    if (known.status === 200) return demo;
  }
  const demo = await makeProgram(urls, adminKey);
  writeFileSync(file, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 });
  return demo;
}

/** Until a redirect has reached a catalog version, and the other edges know the key. */
export async function waitForCatalog(urls, demo) {
  await waitFor(
    `click-redirect at catalog version ${demo.catalogVersion}`,
    async () => (await call(`${urls['click-redirect']}/readyz`)).body?.catalog_version >= demo.catalogVersion,
  );
  const bearer = { authorization: `Bearer ${demo.apiKey}` };
  await waitFor(
    'conversion-ingest knows the key',
    async () => (await call(`${urls['conversion-ingest']}/v1/receipts?external_id=none`, { headers: bearer })).status !== 401,
  );
  await waitFor(
    'reward-fulfillment knows the key',
    async () => (await call(`${urls['reward-fulfillment']}/v1/balances`, { headers: bearer })).status === 200,
  );
}
