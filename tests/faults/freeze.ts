/** How often an engine may say that it could not freeze a container: on a busy machine the kernel takes too long over it. */
const ATTEMPTS_MAX = 5;

/** Pauses a container, as `docker pause` does in that environment. Throws what the engine says. */
export async function freeze(container: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { exitCode, stderr } = await Bun.$`docker pause ${container}`
      .env({ ...env })
      .nothrow()
      .quiet();
    const said = stderr.toString();
    if (exitCode === 0 || (attempt > 1 && said.includes('is already paused'))) return;
    if (attempt === ATTEMPTS_MAX || !said.includes('unable to freeze')) throw new Error(said);
  }
}
