// The table for people.
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

/** One line: what the figures were taken on. */
export function machine() {
  const [cpu] = cpus();
  const at = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return `${at} UTC, ${cpus().length} x ${cpu?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}, Node ${process.versions.node}${commit()}`;
}

export function table(results) {
  const rows = [['case', 'unit', 'ours', 'reference', 'ratio', '(lowest to highest)', 'aim', ''], ...results.map(row)];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const line = (cells) =>
    cells
      .map((cell, i) => (i >= 2 && i <= 4 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

function row({ case: name, unit, ours, reference, ratio, ratioLowest, ratioHighest, aim, aimIs, verdict }) {
  const spread = ratio === null || ratioLowest === ratioHighest ? '' : `(${ratioLowest} to ${ratioHighest})`;
  const bound = aim === null ? '' : `${aimIs === 'at most' ? '<=' : '>='} ${aim}${ratio === null ? ` ${unit}` : ''}`;
  return [name, unit, text(ours), text(reference), text(ratio), spread, bound, verdict ?? ''];
}

const text = (number) => (number === null ? '' : String(number));

function commit() {
  try {
    return `, commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()}`;
  } catch {
    return '';
  }
}
