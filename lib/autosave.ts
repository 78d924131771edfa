/**
 * Automatic saves at an interval.
 *
 * Promises: they never overlap, do not keep the process alive, save only when something has changed since the last save,
 * and report failures as work in the background. The save itself is `save` or `saveIncremental`, as configured.
 */
import { wrongValue } from './errors';
import { saveUnsaved } from './operations/save-unsaved';
import type { Session } from './session';

export class AutoSave {
  #timer: NodeJS.Timeout | null = null;
  #running = false;

  constructor(readonly session: Session) {}

  start(): void {
    const { autoSaveInterval } = this.session.settings;
    if (autoSaveInterval === 0) throw wrongValue('Automatic saves are off: give the option "autoSaveInterval" a number of milliseconds over 0');
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => void this.#tick(), autoSaveInterval);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #tick(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { session } = this;
    try {
      const path = await session.run({}, async (call) => (this.#timer === null ? null : saveUnsaved(session, call)));
      if (path !== null) session.emit('autosave', path);
    } catch (error) {
      session.background(error);
    } finally {
      this.#running = false;
    }
  }
}
