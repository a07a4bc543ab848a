// `npm run test:containers`: every image, the compose platform, and the integration tests on Testcontainers, for real. Needs Docker.
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ComposePlatform, mustRun, run } from './compose.mjs';
import { checkImages, imageApps } from './containers-images.mjs';
import { booksOf, killWhileLoaded } from './containers-load.mjs';
import { checkSecured } from './containers-secured.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { failWith, green, red, say, step, Trouble } from './progress.mjs';
import { SERVICES } from './settings.mjs';
import { waitFor } from './api.mjs';

const HELP = `Builds every image, brings the compose platform up beside whatever else runs (a project, ports, volumes and secrets of its own), plays the
journey, kills every service's container once while clicks and conversions go on, takes the platform down and up again on the same volumes,
then runs the integration tests on Testcontainers. The last line counts what was checked.

  npm run test:containers
  npm run test:containers -- --skip integration     everything but the integration tests (or: images, secured, platform)
  npm run test:containers -- --keep                 leave the platform up for a look

Needs docker with compose and buildx, and the images apache/kafka:4.3.1, postgres:17, redis:7, node:24-bookworm-slim.
`;
const STAGES = ['images', 'secured', 'platform', 'integration'];
const BASE_IMAGES = ['apache/kafka:4.3.1', 'postgres:17', 'redis:7', 'node:24-bookworm-slim'];
/** A service must have ended by itself before its supervisor would kill it. */
const STOP_MAX_S = 25;

const checks = [];
const counts = { passed: 0, failed: 0 };
const check = (what, holds, saw = '') => {
  checks.push({ what, holds: Boolean(holds), saw });
  counts[holds ? 'passed' : 'failed']++;
  say(`  ${holds ? green('✓') : red('✗')} ${what}${saw ? ` (${saw})` : ''}`);
};

async function main() {
  const { values } = parseArgs({
    options: { skip: { type: 'string', multiple: true }, keep: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) return void process.stdout.write(HELP);
  const skip = new Set((values.skip ?? []).flatMap((list) => list.split(',')));
  for (const name of skip) if (!STAGES.includes(name)) throw new Trouble(`--skip ${name}: there is ${STAGES.join(', ')}.`);
  checkNode();
  await ensureInstalled();
  await needDocker();
  const platform = await ComposePlatform.create();
  let sizes = {};
  await step('compose configuration', () => checkConfiguration(platform));
  await step(`build ${imageApps().length} images`, () => build(platform));
  if (!skip.has('images')) await step('look into every image', async () => void (sizes = await checkImages(check)));
  if (!skip.has('secured')) await step('a broker with TLS and SASL', () => checkSecured(check));
  if (!skip.has('platform')) await withPlatform(platform, values.keep);
  if (!skip.has('integration')) await integration();
  finish(sizes);
}

/** Says all that is missing at once, before anything is started. */
async function needDocker() {
  const missing = [];
  const answers = async (what, args, how) => {
    const { code, stderr } = await run('docker', args).catch((error) => ({ code: 1, stderr: error.message }));
    if (code !== 0) missing.push(`${what}: ${stderr.trim().split('\n').at(-1)}\n    ${how}`);
    return code === 0;
  };
  if (await answers('an engine that answers', ['version'], 'install and start Docker, or name one that runs in DOCKER_HOST')) {
    await answers('docker compose', ['compose', 'version'], 'install the plugin docker-compose-plugin');
    await answers('docker buildx', ['buildx', 'version'], 'install the plugin docker-buildx-plugin');
    for (const image of BASE_IMAGES)
      if ((await run('docker', ['image', 'inspect', image])).code !== 0)
        await answers(
          `the image ${image}`,
          ['pull', '--quiet', image],
          'pull it where a registry can be reached, then docker save and docker load',
        );
  }
  if (missing.length > 0) throw new Trouble(`This test runs on Docker. Missing:\n  - ${missing.join('\n  - ')}`);
}

async function checkConfiguration(platform) {
  for (const profile of ['', '*']) {
    const { code, stdout, stderr } = await platform.tryCompose('--profile', profile, 'config', '--quiet');
    check(`docker compose config -q${profile ? ' with every profile' : ''} says nothing`, code === 0 && !stdout && !stderr, stderr.trim());
  }
  const files = ['--file', 'docker-compose.yml', '--file', 'deploy/external.yml', '--profile', '*'];
  const { code, stdout, stderr } = await platform.tryCompose(...files, 'config', '--quiet');
  check('nor with stores of somebody else (deploy/external.yml)', code === 0 && !stdout && !stderr, stderr.trim());
}

async function build(platform) {
  const { stdout } = await run('git', ['rev-parse', 'HEAD']);
  const { code, stderr } = await run('docker', platform.args('--profile', '*', 'build', '--quiet'), {
    timeoutMs: 1_800_000,
    env: { ...process.env, BATON_REVISION: stdout.trim() || 'unknown' },
  });
  if (code !== 0) throw new Trouble(`The images could not be built:\n${stderr.trim().slice(-4_000)}`);
}

async function withPlatform(platform, keep) {
  await platform.remove();
  try {
    await step('docker compose up, on new volumes', () => platform.up());
    await step('journey', () => journey(platform, 'on new volumes'));
    await step('what containers may do', () => checkRights(platform));
    await step('setup, twice at once', () => setupAgain(platform));
    await step('three of attribution, two of conversion-ingest', () =>
      platform.up('--scale', 'attribution=3', '--scale', 'conversion-ingest=2'),
    );
    await step('clicks and conversions, while containers are killed', () => killWhileLoaded(platform, check));
    await step('a process that dies is started again', () => dieInside(platform));
    await step('down and up again, on the same volumes', () => downAndUp(platform));
    await step('journey', () => journey(platform, 'after down and up'));
  } catch (error) {
    check('the platform does what it should', false, error.message);
    await tellLogs(platform);
  } finally {
    if (keep) say(`The platform is left up: docker compose --project-name ${platform.name} --env-file ${platform.envFile} ps`);
    else {
      await step('take the platform away', () => platform.remove());
      rmSync(platform.envFile, { force: true });
    }
  }
}

/** As anybody would, by the command. */
async function journey(platform, when) {
  const args = ['run', '--silent', 'journey', '--', '--url', 'http://127.0.0.1', '--env-file', platform.envFile];
  const { code, stderr } = await run('npm', args);
  say(stderr.trimEnd());
  check(`npm run journey exits with 0, ${when}`, code === 0, `exit ${code}`);
}

async function checkRights(platform) {
  const write =
    "try { require('node:fs').writeFileSync(process.argv[1] + '/probe', ''); console.log('written') } catch (e) { console.log(e.code) }";
  for (const service of SERVICES) {
    const tryIn = async (folder) => (await platform.compose('exec', '-T', service, 'node', '-e', write, folder)).trim();
    const said = [await tryIn('/app'), await tryIn('/app/node_modules'), service === 'click-redirect' ? await tryIn('/data') : 'written'];
    check(`${service} cannot write to its own code`, said.join() === 'EROFS,EROFS,written', said.join());
  }
}

async function setupAgain(platform) {
  const ends = await Promise.all([1, 2].map(() => platform.tryCompose('run', '--rm', '--no-deps', 'setup')));
  check(
    'two setup jobs at once on a platform that runs: both end with 0',
    ends.every(({ code }) => code === 0),
    ends.map(({ code, stderr }) => (code === 0 ? 'exit 0' : stderr.trim().slice(-300))).join(', '),
  );
}

/** `docker kill` counts as somebody's wish; a process that dies by itself is the restart policy's business. */
async function dieInside(platform) {
  const [container] = await platform.containers('fraud-scoring');
  const kill = "process.kill(Number(require('node:fs').readFileSync('/proc/1/task/1/children', 'utf8').split(' ')[0]), 'SIGKILL')";
  await mustRun('docker', ['exec', container, 'node', '-e', kill]);
  const healthy = await waitFor(
    'fraud-scoring is back',
    async () => (await platform.inspect(container, '{{.RestartCount}} {{.State.Health.Status}}')) === '1 healthy',
    90_000,
    500,
  ).catch(() => false);
  check('a service that dies is started again and gets ready', healthy);
}

async function downAndUp(platform) {
  const before = await booksOf(platform);
  for (const service of SERVICES) await checkStop(platform, service);
  const drain = await platform.tryCompose('--profile', 'drain', 'run', '--rm', '--no-deps', 'drain');
  check('after the stop nothing is left in the spools: drain exits with 0', drain.code === 0, drain.stdout.trim().slice(-200));
  await platform.compose('down', '--timeout', '30');
  await platform.up();
  const after = await booksOf(platform);
  check('the books are the same after down and up', before === after, before === after ? after : `${before} before, ${after} after`);
}

async function checkStop(platform, service) {
  const started = Date.now();
  await platform.compose('stop', service);
  const seconds = (Date.now() - started) / 1000;
  const codes = [];
  for (const container of await platform.containers(service)) codes.push(await platform.inspect(container, '{{.State.ExitCode}}'));
  const holds = codes.length > 0 && codes.every((code) => code === '0') && seconds < STOP_MAX_S;
  check(`${service} stops in order at SIGTERM`, holds, `exit ${codes}, ${seconds.toFixed(1)} s`);
}

async function tellLogs(platform) {
  const { stdout } = await platform.tryCompose('ps', '--all');
  const { stdout: logs } = await platform.tryCompose('logs', '--no-color', '--tail', '15');
  say(`${stdout}\n${logs.slice(-12_000)}`);
}

/** The same tests as `npm test`, with the provider's choice taken away. */
async function integration() {
  const names = ['KAFKA_BROKERS', 'POSTGRES_ADMIN_URL', 'REDIS_URL', 'DATABASE_PASSWORD', 'TOPIC_PREFIX', 'DATABASE_PREFIX'];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));
  say('integration tests on Testcontainers');
  const { stdout } = await run('npm', ['test', '--', '--only', 'integration'], {
    timeoutMs: 1_800_000,
    env: { ...env, BATON_TEST_STORES: 'containers' },
    onLine: (text) => process.stderr.write(text),
  });
  const [, passed, failed] = /(\d+) passed, (\d+) failed/.exec(stdout.trimEnd().split('\n').at(-1)) ?? [];
  if (!passed || Number(passed) === 0) return check('the integration tests ran on Testcontainers', false, 'no count');
  counts.passed += Number(passed);
  counts.failed += Number(failed);
  say(`  integration tests on Testcontainers: ${passed} passed, ${failed} failed`);
}

function finish(sizes) {
  for (const [app, { totalMb, ownMb }] of Object.entries(sizes))
    say(`  ${app.padEnd(20)} ${String(totalMb).padStart(4)} MB, of it ${ownMb} MB beside the base`);
  for (const { what, saw } of checks.filter(({ holds }) => !holds)) say(`${red('✗')} ${what}${saw ? `: ${saw}` : ''}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

await main().catch((error) => {
  failWith(error);
  console.log(`${counts.passed} passed, ${counts.failed + 1} failed`);
});
// Docker's and Kafka's clients keep handles; everything is said by now.
process.exit();
