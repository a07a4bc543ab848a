import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Door } from './door';
import { loadDoors } from './load';

const PAGE = join(__dirname, '../../../../docs/doors.md');
const [BEGIN, END] = ['<!-- doors -->', '<!-- /doors -->'];
const doors = loadDoors();

const lineOf = ({ name, speaks, routes }: Door): string =>
  `| [${name}](#${name}) | ${speaks} | ${routes.map(({ method, path }) => `\`${method} ${path}\``).join('<br>')} | ${[...new Set(routes.map(({ scope }) => `\`${scope}\``))].join(', ')} |`;

const table = `${BEGIN}\n${['| door | what it speaks | requests | scope |', '|---|---|---|---|', ...doors.map(lineOf)].join('\n')}\n${END}`;

describe('docs/doors.md', () => {
  const page = readFileSync(PAGE, 'utf8');
  const stands = page.slice(page.indexOf(BEGIN), page.indexOf(END) + END.length);

  it('lists every door as it is (BATON_WRITE_DOCS=1 with this spec mends it)', () => {
    if (process.env['BATON_WRITE_DOCS'] && stands !== table)
      writeFileSync(
        PAGE,
        page.replace(stands, () => table),
      );
    else expect(stands).toBe(table);
  });

  it('has a section for every door', () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading?.toLowerCase() ?? '');
    expect(
      doors.filter(({ name }) => !headings.some((heading) => heading.replace(/[^a-z0-9]/g, '').startsWith(name.replace(/-/g, '')))),
    ).toEqual([]);
  });

  it('names every setting', () => {
    const settings = doors.flatMap((door) => Object.keys((door as { settings?: object }).settings ?? {}));
    expect(settings.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
