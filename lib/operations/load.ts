/** `load(options)`: the content of a file in the place of what is there. */
import { native } from '../native';
import { readLoad } from '../options';
import { Session } from '../session';
import { replaceContent } from './content';

export async function load(session: Session, given: unknown): Promise<void> {
  // Validate arguments
  const options = readLoad(given);

  // Interpret options
  const { path: source, verifyChecksum: verify = true } = options;
  const path = Session.absolute(source);
  const format = options.format as 'json' | 'binary' | undefined;

  await replaceContent(session, options, { operation: 'load', source, path, format, verify, merge: false, read: native.load });
}
