export default async function teardown() {
  await globalThis.__platform?.stop();
  await globalThis.__platform?.remove();
  await globalThis.__stopStores?.();
}
