import { type ISpectralDiagnostic, Spectral } from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { call } from './platform';

const OFF = {
  // Who runs a Baton is not Baton's to say.
  'info-contact': 'off',
  // Paths say what a request is for; ids of operations are for generators, which make their own.
  'operation-operationId': 'off',
  // A summary says it in one line.
  'operation-description': 'off',
  // Each service is served from wherever it is deployed.
  'oas3-api-servers': 'off',
} as const;

const said = ({ code, path, message }: ISpectralDiagnostic): string => `${path.join('.')}: ${message} (${String(code)})`;

describe('the description of an API', () => {
  it.each(['control-plane', 'conversion-ingest', 'reward-fulfillment'])(
    '%s: has nothing that a linter finds',
    async (service) => {
      const { status, body } = await call(service, '/openapi.json');
      expect(status).toBe(200);
      expect(Object.keys(body.paths).length).toBeGreaterThan(1);
      const spectral = new Spectral();
      spectral.setRuleset({ extends: [oas], rules: OFF } as never);
      expect((await spectral.run(body as Record<string, unknown>)).map(said)).toEqual([]);
    },
    30_000,
  );
});
