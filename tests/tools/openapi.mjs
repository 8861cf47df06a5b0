// Cuts GitHub's published API description down to what liftlock may call, for `prism`:
//
//   node openapi.mjs api.github.com.json github.json
//
// The whole of it takes prism half a minute and a gigabyte to read. Every JSON answer is offered under the media
// type that GitHub recommends, too: the description does not name it, and prism would refuse such requests (406).
import fs from "node:fs";

const [from, to] = process.argv.slice(2);
const description = JSON.parse(fs.readFileSync(from, "utf8"));

const OF_A_REPOSITORY = [
  "actions/runs", "branches", "check-runs", "collaborators", "commits", "compare", "contents", "deployments",
  "environments", "issues", "pulls", "rules", "statuses",
];
const kept = (path) => {
  const below = path.replace("/repos/{owner}/{repo}", "");
  return ["/user", "/rate_limit"].includes(path) || path === "/repos/{owner}/{repo}" ||
    (below !== path && OF_A_REPOSITORY.some((start) => below === `/${start}` || below.startsWith(`/${start}/`)));
};
description.paths = Object.fromEntries(Object.entries(description.paths).filter(([path]) => kept(path)));

const offerRecommendedTypes = (response) => {
  const json = response.content?.["application/json"];
  if (!json) return;
  for (const version of ["", ".v3"]) response.content[`application/vnd.github${version}+json`] = json;
};
// A file as it is: GitHub's page on contents names this type, the description does not.
const contents = description.paths["/repos/{owner}/{repo}/contents/{path}"].get.responses["200"];
contents.content["application/vnd.github.raw+json"] = { schema: { type: "string" } };
const operations = Object.values(description.paths).flatMap((path) => Object.values(path));
const responses = operations.flatMap((operation) => Object.values(operation.responses ?? {}));
[...responses, ...Object.values(description.components.responses)].forEach(offerRecommendedTypes);

fs.writeFileSync(to, JSON.stringify(description));
