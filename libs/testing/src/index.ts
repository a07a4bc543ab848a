export * from './eventually';
export * from './proxy';
export * from './stores';
export * from './strange';
export * from './strange-request';
export * from './tenancy';
export type { Fill } from './tenancy-row';
export { LANDING_CASES, type LandingCase } from './landing-cases';
