/** "The Garden Blog!" gives "the-garden-blog"; a name without a Latin letter or digit gives the fallback. */
export function partnerKeyOf(name: string, fallback: string): string {
  const key = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return key === '' ? fallback : key;
}
