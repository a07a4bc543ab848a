// What the client of a chaos run asked for and was answered.
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';

/**
 * One line a request and one an answer, on disk before the run goes on: what was answered is known even where this process dies. Lines that
 * come while the disk is busy go together.
 */
export class Journal {
  lines = [];
  waiting = [];
  busy = false;

  constructor(file) {
    this.fd = openSync(file, 'a', 0o600);
  }

  add(entry) {
    this.lines.push(`${JSON.stringify(entry)}\n`);
    const written = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    if (!this.busy) this.flush();
    return written;
  }

  flush() {
    const waiting = this.waiting;
    if (waiting.length === 0) return;
    this.busy = true;
    writeSync(this.fd, this.lines.join(''));
    this.lines = [];
    this.waiting = [];
    fdatasync(this.fd, (error) => {
      this.busy = false;
      for (const { resolve, reject } of waiting) {
        if (error) reject(error);
        else resolve();
      }
      this.flush();
    });
  }

  close() {
    closeSync(this.fd);
  }
}
