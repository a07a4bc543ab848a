export * from './claim';
export * from './conversion';
export * from './deep-link';
export * from './identity';
export * from './judge';
export * from './progress';
export * from './reversal';
export * from './storable';
