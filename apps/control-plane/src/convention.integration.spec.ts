import { create } from 'qrcode';
import { inflateSync } from 'node:zlib';
import { randomUUID } from 'node:crypto';
import { ADMIN_KEY, type Call, furnished, type Harness, startHarness } from './testing';

const convention = { sources: ['garden', 'kitchen'], campaigns: ['spring-2026', 'summer-2026'], terms: ['pots', 'seeds'] };

describe('for those who share links', () => {
  let harness: Harness;
  let call: Call;
  let tenantId: string;
  let partnerId: string;
  let programId: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ call, tenantId, partnerId } = await furnished(harness));
    programId = (await call('POST', '/v1/programs', { name: 'Edge', destination_hosts: ['shop.example'], utm_convention: convention })).body
      .id as string;
  });
  afterAll(() => harness.stop());

  const link = (more: object = {}) => ({
    program_id: programId,
    partner_id: partnerId,
    destination: 'https://shop.example/spring',
    ...more,
  });
  const text = (path: string, accept = '*/*') =>
    fetch(`${harness.urls[0]}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}`, 'baton-tenant': tenantId, accept } });

  describe('the link builder', () => {
    it('shows where a visitor lands, and stores nothing', async () => {
      const before = (await call('GET', '/v1/catalog')).body.version as number;
      const built = await call(
        'POST',
        '/v1/links:build',
        link({ destination: 'https://SHOP.example/p?a=1#top', utm: { source: 'kitchen', term: 'pots' } }),
      );
      expect(built).toEqual({
        status: 200,
        body: {
          url: 'https://shop.example/p?a=1&utm_source=kitchen&utm_medium=referral&utm_campaign=spring-2026&utm_content=the-garden-blog&utm_term=pots&click_id={click_id}#top',
          destination: 'https://shop.example/p?a=1#top',
          utm: {
            utm_source: 'kitchen',
            utm_medium: 'referral',
            utm_campaign: 'spring-2026',
            utm_content: 'the-garden-blog',
            utm_term: 'pots',
          },
        },
      });
      expect((await call('GET', '/v1/catalog')).body.version).toBe(before);
    });

    it('names all problems at once', async () => {
      const refused = await call('POST', '/v1/links:build', link({ destination: 'https://evil.example/', utm: { source: 'gardens' } }));
      expect(refused).toMatchObject({ status: 422, body: { code: 'destination_refused' } });
      expect(refused.body.errors).toMatchObject([{ field: 'destination' }, { field: 'utm.source', suggestion: 'garden' }]);
    });
  });

  describe('a convention', () => {
    it('is read as JSON, as a sheet and as a page', async () => {
      const path = `/v1/programs/${programId}/utm-convention`;
      expect(await (await text(path)).json()).toEqual({ program_id: programId, version: 1, medium: 'referral', ...convention });
      for (const sheet of [await text(`${path}?format=csv`), await text(path, 'text/csv')]) {
        expect(sheet.headers.get('content-type')).toBe('text/csv; charset=utf-8');
        expect(await sheet.text()).toMatch(/^parameter,value,use\r\nutm_source,garden,default\r\nutm_source,kitchen,choice\r\n/);
      }
      const page = await text(`${path}?format=md`);
      expect(page.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
      expect(await page.text()).toContain('| `utm_campaign` | spring-2026 | default |');
      expect(await call('GET', `${path}?format=xls`)).toMatchObject({ status: 400, body: { code: 'malformed' } });
      const bare = (await call('POST', '/v1/programs', { name: 'Bare', destination_hosts: ['a.example'] })).body.id as string;
      expect(await call('GET', `/v1/programs/${bare}/utm-convention`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    });
  });

  describe('a QR code', () => {
    let id: string;
    let shareUrl: string;
    beforeAll(async () => {
      ({ id, share_url: shareUrl } = (await call('POST', '/v1/links', link())).body as { id: string; share_url: string });
    });

    it('as SVG draws the modules of the share URL and no others', async () => {
      const answer = await text(`/v1/links/${id}/qr.svg?margin=2&level=Q&size=300`);
      expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
      const svg = await answer.text();
      expect(svg).toContain('width="300" height="300"');
      expect(modulesOfSvg(svg, 2)).toEqual(expected(shareUrl, 'Q'));
    });

    it('as PNG draws them too, and says the tenant’s own domain where it is asked to', async () => {
      const host = `qr-${randomUUID().slice(0, 8)}.shop.example`;
      const domain = (await call('POST', '/v1/domains', { host })).body.id as string;
      const answer = await text(`/v1/links/${id}/qr.png?domain=${host}`);
      expect(answer.headers.get('content-type')).toBe('image/png');
      expect(modulesOfPng(Buffer.from(await answer.arrayBuffer()), 4)).toEqual(
        expected(shareUrl.replace('https://go.example', `https://${host}`), 'M'),
      );
      await call('POST', `/v1/domains/${domain}/state`, { state: 'disabled' });
      expect(await call('GET', `/v1/links/${id}/qr.png?domain=${host}`)).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'domain' }] },
      });
    });

    it('is refused where the wish makes no sense or the link is deleted', async () => {
      const refused = await call('GET', `/v1/links/${id}/qr.svg?size=9999&margin=-1&level=X`);
      expect((refused.body.errors as { field: string }[]).map((e) => e.field)).toEqual(['size', 'margin', 'level']);
      expect((await call('GET', `/v1/links/${id}/qr.svg?domain=a.example&domain=b.example`)).status).toBe(400);
      expect((await call('GET', `/v1/links/${id}/qr.svg?domain=%00`)).status).toBe(400);
      await call('POST', `/v1/links/${id}/state`, { state: 'deleted' });
      expect(await call('GET', `/v1/links/${id}/qr.png`)).toMatchObject({ status: 409, body: { code: 'deleted' } });
    });
  });
});

/** Rows of a code's modules, dark as #. */
function expected(content: string, level: 'M' | 'Q'): string[] {
  const { modules } = create(content, { errorCorrectionLevel: level });
  return Array.from({ length: modules.size }, (_, y) =>
    Array.from({ length: modules.size }, (_, x) => (modules.get(y, x) ? '#' : '.')).join(''),
  );
}

/** Reads the strokes `M x y`, `m dx dy` and `h length` of the dark path. */
function modulesOfSvg(svg: string, margin: number): string[] {
  const size = Number(/viewBox="0 0 (\d+) \d+"/.exec(svg)?.[1]);
  const path = /stroke="#000000" d="([^"]+)"/.exec(svg)?.[1] ?? '';
  const grid = Array.from({ length: size }, () => Array.from({ length: size }, () => '.'));
  let [x, y] = [0, 0];
  for (const [, stroke, first, second] of path.matchAll(/([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?/g)) {
    if (stroke === 'M') [x, y] = [Number(first), Number(second)];
    else if (stroke === 'm') [x, y] = [x + Number(first), y + Number(second)];
    else for (let end = x + Number(first); x < end; x++) (grid[Math.floor(y)] as string[])[x] = '#';
  }
  return grid.slice(margin, size - margin).map((row) => row.slice(margin, size - margin).join(''));
}

/** Reads an 8-bit RGBA PNG of whole-pixel modules. */
function modulesOfPng(png: Buffer, margin: number): string[] {
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  const [width, depth, colours] = [png.readUInt32BE(16), png[24], png[25]];
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  expect([depth, colours]).toEqual([8, 6]);
  const pixels = unfiltered(inflateSync(Buffer.concat(parts)), width);
  const first = pixels.findIndex((row) => row.includes('#'));
  const dark = (pixels[first] as string).indexOf('.', (pixels[first] as string).indexOf('#'));
  // The finder pattern in the corner is seven modules wide.
  const modulePx = (dark - (pixels[first] as string).indexOf('#')) / 7;
  const size = Math.round(width / modulePx) - 2 * margin;
  const middle = (i: number): number => Math.floor((margin + i + 0.5) * modulePx);
  return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => (pixels[middle(y)] as string)[middle(x)]).join(''));
}

/** Undoes PNG's five row filters (RFC 2083, 6). */
function unfiltered(data: Buffer, width: number): string[] {
  const stride = width * 4;
  let before = Buffer.alloc(stride);
  return Array.from({ length: width }, (_, y) => {
    const filter = data[y * (stride + 1)];
    const row = Buffer.from(data.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)));
    for (let i = 0; i < stride; i++) {
      const [a, b, c] = [i < 4 ? 0 : (row[i - 4] as number), before[i] as number, i < 4 ? 0 : (before[i - 4] as number)];
      const p = a + b - c;
      const nearest =
        Math.abs(p - a) <= Math.abs(p - b) && Math.abs(p - a) <= Math.abs(p - c) ? a : Math.abs(p - b) <= Math.abs(p - c) ? b : c;
      row[i] = ((row[i] as number) + ([0, a, b, (a + b) >> 1, nearest][filter as number] as number)) & 255;
    }
    before = row;
    return Array.from({ length: width }, (_, x) => ((row[x * 4] as number) < 128 ? '#' : '.')).join('');
  });
}
