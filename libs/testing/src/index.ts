export * from './eventually';
export * from './proxy';
export * from './stores';
export * from './tenancy';
