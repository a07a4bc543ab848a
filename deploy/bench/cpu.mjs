// What the kernel says a process used. Linux alone tells it per thread; elsewhere the bench gives throughput and says so.
import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

export const tellsCpu = existsSync('/proc/self/schedstat');
const TICKS_PER_SECOND = tellsCpu ? Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : 100;

/** Microseconds since the process began: of its first thread (in Node the one that answers), and of all of its threads, ended ones too. Null where nobody tells. */
export function cpuOf(pid) {
  if (!tellsCpu) return null;
  const [nanoseconds] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name stands in brackets and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { threadUs: Number(nanoseconds) / 1_000, processUs: (ticks * 1_000_000) / TICKS_PER_SECOND };
}

/** Resident memory in MB; null where nobody tells, or the process is gone. */
export function memoryMbOf(pid) {
  if (!existsSync(`/proc/${pid}/status`)) return null;
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return kb === undefined ? null : Number(kb) / 1024;
}

/** `end()` gives the most, from now on. */
export function watchMemory(pid) {
  let mostMb = 0;
  const look = () => (mostMb = Math.max(mostMb, memoryMbOf(pid) ?? 0));
  const timer = setInterval(look, 250);
  return {
    end() {
      look();
      clearInterval(timer);
      return { mostMb };
    },
  };
}
