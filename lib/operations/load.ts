/** `load(options)`: the content of a file in the place of what is there; without a file, that of the journal on disk. */
import { native } from '../native';
import { readLoad, readLoadWithout } from '../options';
import { Session } from '../session';
import { replaceContent } from './content';
import { recover } from './recover';

export async function load(session: Session, given: unknown): Promise<void> {
  // Validate arguments
  const without = session.durable === null ? null : readLoadWithout(given);
  if (without !== null) {
    await recover(session, without);
    return;
  }
  const options = readLoad(given);

  // Interpret options
  const { path: source, format, verifyChecksum: verify = true } = options;
  const path = Session.absolute(source);

  await replaceContent(session, options, { operation: 'load', source, path, format, verify, merge: false, read: native.load });
}
