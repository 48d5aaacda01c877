import { median } from "../median";

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

export async function medianOf(runs: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < runs; index++) times.push(await seconds(() => work(index)));
  return median(times);
}

/** Progress, for people. */
export const say = (text: string): void => {
  process.stderr.write(`bench: ${text}\n`);
};
