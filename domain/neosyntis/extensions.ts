import { pointer } from '../pointer.ts';
import { type Extension, extendable } from './dsl/use.ts';
import { isObject } from './json.ts';

/** An extension and its pointer in the document: `/use/extensions/0/logging`. */
export interface PlacedExtension {
  path: string;
  extension: Partial<Extension>;
}

/** The extensions in `use`, which nobody need have checked, in the order written. */
export const extensionsOf = (use: unknown): PlacedExtension[] =>
  isObject(use) && Array.isArray(use.extensions)
    ? use.extensions.flatMap((item: unknown, at) =>
        isObject(item)
          ? Object.entries(item).flatMap(([name, extension]) =>
              isObject(extension) ? [{ path: pointer('/use/extensions', at, name), extension }] : [],
            )
          : [],
      )
    : [];

/** The lists of tasks of an extension. */
export const listsOf = ({ path, extension }: PlacedExtension): { path: string; tasks: unknown }[] =>
  (['before', 'after'] as const).flatMap((key) =>
    extension[key] === undefined ? [] : [{ path: pointer(path, key), tasks: extension[key] }],
  );

/** Whether it is for tasks with this keyword. */
export const extendsKind = ({ extend }: Partial<Extension>, keyword: string): boolean =>
  extend === 'all' ||
  Object.entries(extendable).some(
    ([name, keywords]) => name === extend && (keywords as readonly string[]).includes(keyword),
  );
