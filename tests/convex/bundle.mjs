// Bundles an app's convex folder together with convex-test and gives the module back.
//
// convex-test itself is not changed: when it is loaded, one line is appended that exports its storage class and some
// functions, which are private to it and which indexed.mjs and runtime.mjs need.
import { createRequire } from "node:module";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const PRIVATE = ["DatabaseFake", "evaluateFieldPath", "evaluateRangeFilter", "getTransactionManager"];

/** All TypeScript files below the folder, with `/`, without what Convex generates. */
async function modulesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((it) => it.isFile() && /\.[jt]s$/.test(it.name) && !it.name.endsWith(".d.ts"));
  const relative = files.map((it) => path.relative(folder, path.join(it.parentPath ?? it.path, it.name)));
  return relative.filter((it) => !it.startsWith("_generated")).map((it) => it.split(path.sep).join("/")).sort();
}

function entry(modules) {
  const hasSchema = modules.includes("schema.ts");
  return `
    export { convexTest, ${PRIVATE.join(", ")} } from "convex-test";
    export { compareValues, convexToJson, jsonToConvex, getDocumentSize, getConvexSize } from "convex/values";
    ${hasSchema ? 'export { default as schema } from "./schema.ts";' : "export const schema = undefined;"}
    export const modules = {
      "/convex/_generated/api.js": async () => ({}),
      ${modules.map((it) => `${JSON.stringify(`/convex/${it}`)}: () => import(${JSON.stringify(`./${it}`)}),`).join("\n")}
    };`;
}

const exposing = {
  name: "export what is private to convex-test",
  setup(build) {
    build.onLoad({ filter: /convex-test[/\\]dist[/\\]index\.js$/ }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      const gone = PRIVATE.filter((it) => !new RegExp(`\\b(?:class|function) ${it}\\b`).test(text));
      if (gone.length > 0) throw new Error(`convex-test has changed and has no ${gone.join(", ")}: review indexed.mjs`);
      return { contents: `${text}\nexport { ${PRIVATE.join(", ")} };\n`, loader: "js" };
    });
  },
};

/** `tools` is the folder with node_modules, `app` the one with `convex`. */
export async function bundle(tools, app) {
  const { build } = createRequire(path.join(tools, "package.json"))("esbuild");
  const folder = path.join(app, "convex");
  const scratch = await mkdtemp(path.join(tmpdir(), "convex-bundle-"));
  try {
    const outfile = path.join(scratch, "bundle.mjs");
    await build({
      stdin: { contents: entry(await modulesBelow(folder)), resolveDir: folder, loader: "ts" },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      nodePaths: [path.join(tools, "node_modules")],
      outfile,
      logLevel: "warning",
      plugins: [exposing],
    });
    return await import(pathToFileURL(outfile));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
