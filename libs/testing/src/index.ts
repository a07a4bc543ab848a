export * from './eventually';
export * from './stores';
export * from './tenancy';
