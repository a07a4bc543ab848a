export * from './eventually';
export * from './stores';
