//! The requests that GitHub's API has, as far as anything here uses them, with the permission that each takes.

use serde_json::{Value, json};

use super::{
    Asked, Reply,
    world::{Comment, Commit, Environment, Level, Pull, Run, World},
};

/// What a comment may hold, in characters.
const LONGEST_COMMENT: usize = 65_536;

pub fn reply(world: &mut World, asked: &Asked) -> Reply {
    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    if let ("GET", ["user"]) = (asked.method.as_str(), segments.as_slice()) {
        return match asked.told.login.ends_with("[bot]") {
            true => Reply::refused(403, "Resource not accessible by integration"),
            false => Reply::json(200, &world.user(&asked.told.login)),
        };
    }
    let (owner, name) = world.repository.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let ["repos", in_owner, in_name, below @ ..] = segments.as_slice() else {
        return unknown(asked);
    };
    if *in_owner != owner || *in_name != name {
        return Reply::refused(404, "Not Found");
    }
    if !asked.accept.starts_with("application/vnd.github") {
        return Reply::improper(415, "Unsupported 'Accept' header", format!("Accept: {}", asked.accept));
    }
    match (asked.method.as_str(), below) {
        ("GET", []) => allowed(asked, "metadata", Level::Read, || repository(world)),
        ("GET", ["actions", "runs", id]) => {
            allowed(asked, "actions", Level::Read, || one(world.runs.get(&number(id)).map(|it| run(world, it))))
        }
        ("GET", ["actions", "runs", id, "approvals"]) => {
            allowed(asked, "actions", Level::Read, || one(world.runs.get(&number(id)).map(|it| json!(it.approvals))))
        }
        ("GET", ["actions", "runs", id, "attempts", attempt]) => allowed(asked, "actions", Level::Read, || {
            one(world.runs.get(&number(id)).and_then(|it| earlier(it, number(attempt))).map(|it| run(world, &it)))
        }),
        ("GET", ["environments", name]) => allowed(asked, "actions", Level::Read, || {
            one(world.environments.get(*name).map(|it| environment(name, it)))
        }),
        ("GET", ["compare", pair]) => allowed(asked, "contents", Level::Read, || compare(world, pair)),
        ("GET", ["contents", path @ ..]) => {
            allowed(asked, "contents", Level::Read, || contents(world, asked, &path.join("/")))
        }
        ("GET", ["commits"]) => allowed(asked, "contents", Level::Read, || {
            let found = commits(world, asked);
            page(asked, found)
        }),
        ("GET", ["commits", sha]) => allowed(asked, "contents", Level::Read, || {
            one(world.commits.iter().find(|it| it.sha == *sha).map(|it| commit(world, it)))
        }),
        ("GET", ["commits", sha, "pulls"]) => allowed(asked, "pull_requests", Level::Read, || {
            let of = world.pulls.values().filter(|it| it.commits.iter().any(|it| it == sha));
            page(asked, of.map(|it| pull(world, it)).collect())
        }),
        ("GET", ["pulls", id]) => {
            allowed(asked, "pull_requests", Level::Read, || one(world.pulls.get(&number(id)).map(|it| pull(world, it))))
        }
        ("GET", ["pulls", id, "reviews"]) => {
            allowed(asked, "pull_requests", Level::Read, || match world.pulls.get(&number(id)) {
                Some(pull) => page(asked, pull.reviews.clone()),
                None => Reply::refused(404, "Not Found"),
            })
        }
        ("GET", ["collaborators", login, "permission"]) => {
            allowed(asked, "metadata", Level::Read, || permission(world, login))
        }
        ("GET", ["issues", id, "comments"]) => allowed(asked, "pull_requests", Level::Read, || {
            let of = world.comments.iter().filter(|it| it.issue == number(id));
            page(asked, of.map(|it| comment(world, it)).collect())
        }),
        ("POST", ["issues", id, "comments"]) => write(world, asked, Target::Issue(number(id))),
        ("PATCH", ["issues", "comments", id]) => write(world, asked, Target::Comment(number(id))),
        (_, ["issues", "comments", _] | ["issues", _, "comments"]) => {
            Reply::improper(405, "Method Not Allowed", "GitHub has no such method here".to_owned())
        }
        _ => unknown(asked),
    }
}

fn unknown(asked: &Asked) -> Reply {
    Reply::improper(404, "Not Found", format!("there is no {} {}", asked.method, asked.segments.join("/")))
}

/// An identifier of letters is none.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

fn one(found: Option<Value>) -> Reply {
    found.map_or_else(|| Reply::refused(404, "Not Found"), |it| Reply::json(200, &it))
}

/// As GitHub says it: the message is the same for everything, the header names the permission.
fn allowed(asked: &Asked, scope: &str, level: Level, reply: impl FnOnce() -> Reply) -> Reply {
    if asked.told.permissions.get(scope).is_some_and(|it| *it >= level) {
        return reply();
    }
    let word = match level {
        Level::Read => "read",
        Level::Write => "write",
    };
    Reply::refused(403, "Resource not accessible by integration")
        .with("x-accepted-github-permissions", format!("{scope}={word}"))
}

/// One page of a list, with the links to the others.
fn page(asked: &Asked, all: Vec<Value>) -> Reply {
    let query = |name: &str| asked.query.iter().find(|it| it.0 == name).map(|it| it.1.clone());
    let (size, at) = (query("per_page").unwrap_or("30".to_owned()), query("page").unwrap_or("1".to_owned()));
    let (Ok(size), Ok(at)) = (size.parse::<usize>(), at.parse::<usize>()) else {
        return Reply::improper(422, "Invalid request.", "per_page and page are numbers".to_owned());
    };
    let (size, at) = (size.clamp(1, 100), at.max(1));
    let last = all.len().div_ceil(size).max(1);
    let shown: Vec<Value> = all.into_iter().skip((at - 1) * size).take(size).collect();
    let path: Vec<String> = asked.segments.iter().map(|it| it.replace('/', "%2F")).collect();
    let others: String = asked
        .query
        .iter()
        .filter(|it| it.0 != "page")
        .map(|(name, value)| {
            format!("{name}={}&", url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>())
        })
        .collect();
    let link = |page: usize, relation: &str| {
        format!("<{}/{}?{others}page={page}>; rel=\"{relation}\"", asked.origin, path.join("/"))
    };
    let mut links = Vec::new();
    if at > 1 {
        links.push(link(at - 1, "prev"));
        links.push(link(1, "first"));
    }
    if at < last {
        links.push(link(at + 1, "next"));
        links.push(link(last, "last"));
    }
    let reply = Reply::json(200, &json!(shown));
    if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
}

fn repository(world: &World) -> Reply {
    Reply::json(
        200,
        &json!({
            "id": 1, "full_name": world.repository, "default_branch": world.default_branch, "private": true,
            "html_url": format!("https://github.com/{}", world.repository),
        }),
    )
}

fn run(world: &World, run: &Run) -> Value {
    let repository = json!({ "id": 1, "full_name": world.repository });
    json!({
        "id": run.id, "run_number": 3, "run_attempt": run.attempt, "head_sha": run.head_sha,
        "head_branch": run.head_branch, "event": run.event, "path": run.path, "status": "in_progress",
        "conclusion": null, "actor": world.user(&run.actor), "triggering_actor": world.user(&run.triggering_actor),
        "repository": repository, "head_repository": repository, "a_field_of_tomorrow": { "x": [1] },
        "html_url": format!("https://github.com/{}/actions/runs/{}", world.repository, run.id),
    })
}

/// The run as it was at this attempt.
fn earlier(run: &Run, attempt: u64) -> Option<Run> {
    if attempt == run.attempt {
        return Some(run.clone());
    }
    if attempt == 0 || attempt > run.attempt {
        return None;
    }
    let starter = run.earlier.get(attempt as usize - 1).unwrap_or(&run.actor);
    Some(Run { attempt, triggering_actor: starter.clone(), ..run.clone() })
}

fn environment(name: &str, environment: &Environment) -> Value {
    let mut rules = vec![json!({ "id": 9, "node_id": "x", "type": "a_rule_of_tomorrow" })];
    if !environment.reviewers.is_empty() {
        let reviewer = |it: &String| json!({ "type": "User", "reviewer": { "login": it, "id": 1, "type": "User", "node_id": "x" } });
        rules.push(json!({
            "id": 3, "node_id": "x", "type": "required_reviewers",
            "prevent_self_review": environment.prevent_self_review,
            "reviewers": environment.reviewers.iter().map(reviewer).collect::<Vec<_>>(),
        }));
    }
    let policy = json!({ "protected_branches": true, "custom_branch_policies": false });
    let mut answer = json!({
        "id": 7, "node_id": "x", "name": name, "url": "https://api.github.com/e", "protection_rules": rules,
        "html_url": format!("https://github.com/environments/{name}"), "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "deployment_branch_policy": if environment.branches_limited { policy } else { Value::Null },
    });
    if let Some(bypass) = environment.can_admins_bypass {
        answer["can_admins_bypass"] = json!(bypass);
    }
    answer
}

/// The default branch is a line: what stands before another commit is behind it. A fork's commit is ahead of all.
fn compare(world: &World, pair: &str) -> Reply {
    let Some((base, head)) = pair.split_once("...") else { return Reply::refused(404, "Not Found") };
    let at = |name: &str| world.commits.iter().position(|it| it.sha == name);
    let top = world.head().and_then(|it| at(&it.sha));
    let base = if base == world.default_branch { top } else { at(base) };
    let (Some(base), Some(head)) = (base, at(head)) else { return Reply::refused(404, "Not Found") };
    let sha = |at: usize| &world.commits[at].sha;
    let (status, merge_base) = match head {
        it if it == base => ("identical", sha(it)),
        it if it > base || world.commits[it].fork_only => ("ahead", sha(base)),
        it => ("behind", sha(it)),
    };
    Reply::json(
        200,
        &json!({
            "status": status, "ahead_by": 0, "behind_by": 0, "total_commits": 0, "commits": [], "files": [],
            "merge_base_commit": { "sha": merge_base }, "base_commit": { "sha": sha(base) },
        }),
    )
}

fn contents(world: &World, asked: &Asked, path: &str) -> Reply {
    let at = asked.query.iter().find(|it| it.0 == "ref").map(|it| it.1.as_str());
    let commit = match at {
        None => world.head(),
        Some(sha) => world.commits.iter().find(|it| it.sha == sha),
    };
    let Some(text) = commit.and_then(|it| it.files.get(path)) else { return Reply::refused(404, "Not Found") };
    if !asked.accept.contains("raw") {
        return Reply::improper(500, "not here", "only raw contents are known here".to_owned());
    }
    Reply { status: 200, headers: Vec::new(), body: text.clone(), improper: None }
}

/// Newest first, up to `sha`, those that changed `path`.
fn commits(world: &World, asked: &Asked) -> Vec<Value> {
    let query = |name: &str| asked.query.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
    let end = query("sha").and_then(|sha| world.commits.iter().position(|it| it.sha == sha));
    let until = &world.commits[..=end.unwrap_or(world.commits.len() - 1)];
    let changed = |it: &&Commit| query("path").is_none_or(|path| it.changed.contains(path));
    until.iter().rev().filter(|it| !it.fork_only).filter(changed).map(|it| commit(world, it)).collect()
}

fn commit(world: &World, commit: &Commit) -> Value {
    let user = |login: &Option<String>| login.as_ref().map_or(Value::Null, |it| world.user(it));
    let signature = |login: &Option<String>| {
        let name = login.as_deref().unwrap_or("stranger");
        json!({ "name": name, "email": format!("{name}@example.com"), "date": "2026-01-01T00:00:00Z" })
    };
    json!({
        "sha": commit.sha, "node_id": "x", "author": user(&commit.author), "committer": user(&commit.committer),
        "commit": {
            "message": commit.message, "author": signature(&commit.author), "committer": signature(&commit.committer),
        },
        "parents": [],
    })
}

fn pull(world: &World, pull: &Pull) -> Value {
    json!({
        "id": pull.number, "number": pull.number, "state": if pull.merged { "closed" } else { "open" },
        "title": pull.title, "user": world.user(&pull.author), "draft": false,
        "merged_at": pull.merged.then_some("2026-01-02T03:04:05Z"), "merge_commit_sha": pull.commits.last(),
        "html_url": format!("https://github.com/{}/pull/{}", world.repository, pull.number),
        "head": { "sha": pull.head_sha, "ref": "change" }, "base": { "sha": "0", "ref": pull.base },
    })
}

fn permission(world: &World, login: &str) -> Reply {
    match world.collaborators.get(login) {
        None => Reply::refused(404, "Not Found"),
        Some(role) => {
            // `permission` knows four words only.
            let coarse = match role.as_str() {
                "maintain" => "write",
                "triage" => "read",
                other => other,
            };
            Reply::json(200, &json!({ "permission": coarse, "role_name": role, "user": world.user(login) }))
        }
    }
}

fn comment(world: &World, comment: &Comment) -> Value {
    let app = comment.author.strip_suffix("[bot]").map(|slug| json!({ "id": 15368, "slug": slug, "name": "App" }));
    json!({
        "id": comment.id, "node_id": "x", "user": world.user(&comment.author), "body": comment.body,
        "performed_via_github_app": app, "author_association": "NONE",
        "html_url": format!("https://github.com/{}/pull/{}#issuecomment-{}", world.repository, comment.issue, comment.id),
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
    })
}

enum Target {
    Issue(u64),
    Comment(u64),
}

fn write(world: &mut World, asked: &Asked, target: Target) -> Reply {
    let refused = allowed(asked, "pull_requests", Level::Write, || Reply::json(200, &json!({})));
    if refused.status != 200 {
        return refused;
    }
    let body = match body(&asked.body) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let (status, id) = match target {
        Target::Issue(issue) if world.pulls.contains_key(&issue) => {
            let login = asked.told.login.clone();
            (201, world.comment(issue, &login, &body))
        }
        Target::Issue(_) => return Reply::refused(404, "Not Found"),
        Target::Comment(id) => {
            let Some(found) = world.comments.iter_mut().find(|it| it.id == id) else {
                return Reply::refused(404, "Not Found");
            };
            if found.author != asked.told.login {
                return Reply::refused(403, "Unable to edit somebody else's comment");
            }
            found.body = body;
            (200, id)
        }
    };
    let written = world.comments.iter().find(|it| it.id == id).unwrap();
    Reply::json(status, &comment(world, written))
}

/// `{"body": "…"}` and nothing else.
fn body(text: &str) -> Result<String, Reply> {
    let wrong = |message: &str, why: &str| Err(Reply::improper(422, message, why.to_owned()));
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return wrong("Problems parsing JSON", "the body is no JSON object");
    };
    if members.keys().any(|it| it != "body") {
        return wrong("Invalid request.", "the body has other members than `body`");
    }
    let Some(Value::String(body)) = members.get("body") else {
        return wrong("Invalid request.\n\n\"body\" wasn't supplied.", "`body` is no text");
    };
    if body.chars().count() > LONGEST_COMMENT {
        return Err(Reply::refused(422, "Validation Failed: Body is too long (maximum is 65536 characters)"));
    }
    if body.is_empty() {
        return wrong("Validation Failed: Body can't be blank", "`body` is empty");
    }
    Ok(body.clone())
}
