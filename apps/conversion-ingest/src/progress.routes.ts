import { AttributionRevised, RewardChanged, VerdictGiven } from '@baton/contracts';
import { on, type Route } from '@baton/platform';
import type { ProgressStore } from './progress.store';

/** What became of each conversion, for its receipt. */
export const progressRoutes = (progress: ProgressStore): Route[] => [
  on(AttributionRevised, async (events, tx) => {
    await progress.attributed(
      tx,
      events.map(({ data }) => data),
    );
    return [];
  }),
  on(VerdictGiven, async (events, tx) => {
    await progress.judged(
      tx,
      events.map(({ data }) => data),
    );
    return [];
  }),
  on(RewardChanged, async (events, tx) => {
    await progress.rewarded(
      tx,
      events.map(({ data }) => data),
    );
    return [];
  }),
];
