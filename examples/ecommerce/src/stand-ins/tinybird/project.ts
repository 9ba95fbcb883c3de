import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DatafileError } from "./datafile.ts";
import { type Datasource, datasourceOf } from "./datasource.ts";
import { type Pipe, pipeOf } from "./pipe.ts";

/** A folder of datafiles, as `tb deploy` takes it. */
export interface Project {
  readonly datasources: ReadonlyMap<string, Datasource>;
  readonly pipes: ReadonlyMap<string, Pipe>;
}

/** Reads all of them. Throws a `DatafileError` that names the file for what the stand-in can't do. */
export function readProject(folder: string): Project {
  return {
    datasources: readAll(join(folder, "datasources"), ".datasource", datasourceOf),
    pipes: readAll(join(folder, "pipes"), ".pipe", pipeOf),
  };
}

function readAll<T>(
  folder: string,
  extension: string,
  parse: (name: string, text: string) => T,
): ReadonlyMap<string, T> {
  const files = readdirSync(folder).filter((file) => file.endsWith(extension));
  return new Map(
    files.map((file) => {
      const name = basename(file, extension);
      try {
        return [name, parse(name, readFileSync(join(folder, file), "utf8"))];
      } catch (error) {
        if (!(error instanceof DatafileError)) throw error;
        throw new DatafileError(`${file}: ${error.message}`);
      }
    }),
  );
}
