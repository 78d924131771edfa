/** `import(options)`: the entries of a file over what is there, or in its place with `clear`. */
import { native } from '../native';
import { readImport } from '../options';
import { Session } from '../session';
import { replaceContent } from './content';

export async function importFrom(session: Session, given: unknown): Promise<void> {
  // Validate arguments
  const options = readImport(given);

  // Interpret options
  const { path: source, format, verifyChecksum: verify = true, clear = false } = options;
  const path = Session.absolute(source);

  await replaceContent(session, options, { operation: 'import', source, path, format, verify, merge: !clear, read: native.load });
}
