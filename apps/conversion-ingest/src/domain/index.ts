export * from './claim';
export * from './conversion';
export * from './currency';
export * from './deep-link';
export * from './identity';
export * from './judge';
export * from './reversal';
export * from './storable';
