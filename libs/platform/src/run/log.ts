import { type Logger, pino } from 'pino';

export type Log = Logger;

/** JSON, one line an event, on standard output. Secrets are cut out by name wherever they appear one or two levels deep. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['authorization', '*.authorization', 'email', '*.email', 'key', 'secret', '*.secret', 'password', '*.password'],
      censor: '[cut]',
    },
  });
}
