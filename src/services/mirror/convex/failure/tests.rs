//! Row by row: what Convex answers, what people read of it, what helps.

use serde_json::json;

use super::{Asked, ConvexError, judge};
use crate::services::mirror::Remedy;

const ASKED: Asked<'_> =
    Asked { place: "https://x.convex.cloud", path: "liftlock/sync:table", table: "orders", bytes: 1000 };

fn function_error(message: &str, data: serde_json::Value) -> String {
    let mut answer = json!({"status": "error", "errorMessage": message});
    if !data.is_null() {
        answer["errorData"] = data;
    }
    answer.to_string()
}

fn code(code: &str) -> String {
    json!({"code": code, "message": "secret words"}).to_string()
}

/// Every row of the table: what Convex answers, the beginning of what people read, what helps.
#[test]
fn every_answer_has_its_remedy() {
    use Remedy::{Again, AgainBriefly, None, PerhapsSmaller, Smaller};
    let thrown = |data: serde_json::Value| function_error("[Request ID: a1] Server Error\nUncaught", data);
    let said = |message: &str| function_error(&format!("[Request ID: a1] Server Error\n{message}"), json!(null));
    for (status, body, shown, remedy) in [
        (
            200,
            thrown(json!({"code": "LimitExceeded", "limit": "written"})),
            "too much for one transaction: written",
            Smaller,
        ),
        (200, thrown(json!({"code": "SyncUnauthorized"})), "the deployment does not take the shared key", None),
        (
            200,
            thrown(json!({"code": "SyncAuthNotConfigured", "reason": "missing"})),
            "the deployment's LIFTLOCK_SYNC_AUTH_KEY is missing",
            None,
        ),
        (200, thrown(json!({"code": "StaleRun", "fence": 7})), "the functions refused the batch: StaleRun", None),
        (200, thrown(json!({"code": "VersionMismatch", "expected": 2})), "the deployed functions are of another", None),
        (
            200,
            thrown(json!({"code": "ReservedField", "field": "_x"})),
            "the functions fail in the deployment: ReservedField (request a1)",
            None,
        ),
        (200, thrown(json!({"code": "RowsNotSorted"})), "the functions refused the batch: Unsorted", None),
        (200, thrown(json!({"code": "BatchMismatch"})), "the functions refused the batch: BatchMismatch", None),
        (200, thrown(json!({"code": "DuplicateKey"})), "two documents of `orders` have one key", None),
        (
            200,
            thrown(json!({"code": "RowRefused", "position": 3, "reason": "size"})),
            "the functions refused the batch: Row { position: 3",
            None,
        ),
        (200, thrown(json!({"code": "a secret: 7"})), "the functions fail in the deployment: unknown", None),
        (
            200,
            said("Too many reads in a single function execution (limit: 4096)"),
            "too much for one transaction: reads or writes",
            Smaller,
        ),
        (200, said("Too many bytes written in a single function execution"), "too much for one transaction", Smaller),
        (200, said("Arguments for sync:x are too large (17 MiB)"), "too much for one transaction: arguments", Smaller),
        (
            200,
            said("Function execution timed out (maximum duration: 1s)"),
            "too much for one transaction: time",
            Smaller,
        ),
        (200, said("JavaScript execution ran out of memory"), "too much for one transaction: memory", Smaller),
        (
            200,
            said("Could not find public function for 'liftlock/sync:table'."),
            "the deployment has no function `liftlock/sync:table` (request a1)",
            None,
        ),
        (200, said("Trying to execute x as Mutation, but it is a Query"), "the deployment has no function", None),
        (
            200,
            said("ArgumentValidationError: Object is missing `key`. Object: {secret}"),
            "the deployed functions are of another",
            None,
        ),
        (200, said("Your deployment is paused"), "the deployment does not run: it is paused", None),
        (200, said("You have exceeded the free plan limits"), "the deployment does not run: a limit of its plan", None),
        (200, said("Your spending limit is reached"), "the deployment does not run: a limit of its plan", None),
        (200, said("This team has been suspended"), "the deployment does not run: it is suspended", None),
        (
            200,
            function_error("[Request ID: a1] Server Error", json!(null)),
            "the functions fail in the deployment (request a1)",
            PerhapsSmaller,
        ),
        (560, thrown(json!({"code": "LimitExceeded", "limit": "read"})), "too much for one transaction: read", Smaller),
        (400, code("BadJsonBody"), "Convex does not understand the request: BadJsonBody", None),
        (400, code("BadConvexFunctionIdentifier"), "Convex does not understand the request: BadC", None),
        (400, code("BadFormat"), "Convex does not understand the request: BadFormat", None),
        (400, code("InvalidHeaderFailure"), "Convex does not understand the request: Inv", None),
        (400, code("InvalidClientVersion"), "Convex does not understand the request: Inv", None),
        (400, code("BackendIsNotRunning"), "Convex does not understand the request: Back", None),
        (400, code("SystemTimeoutError"), "too much for one transaction: SystemTimeoutError", Smaller),
        (400, code("TooManyReads"), "too much for one transaction: TooManyReads", Smaller),
        (400, code("TooManyDocumentsRead"), "too much for one transaction", Smaller),
        (400, code("TooManyBytesRead"), "too much for one transaction", Smaller),
        (400, code("TooManyWrites"), "too much for one transaction: TooManyWrites", Smaller),
        (400, code("TooManyBytesWritten"), "too much for one transaction", Smaller),
        (401, code("InvalidAuthHeader"), "Convex does not know who is asking", None),
        (403, code("BadDeployKey"), "the deploy key is not one of this deployment", None),
        (
            403,
            json!({"code": "OperationNotPermitted", "message": "missing deployment:data:view here"}).to_string(),
            "the deploy key may not: deployment:data:view",
            None,
        ),
        (404, code("DeploymentNotFound"), "there is no deployment at https://x", AgainBriefly),
        (408, String::new(), "Convex did not answer: it gave up", Again),
        (421, code("MisdirectedRequest"), "Convex is busy: MisdirectedRequest", Again),
        (425, code("TooEarly"), "Convex is busy: TooEarly", Again),
        (429, code("TooManyWrites"), "Convex holds us back: TooManyWrites", Again),
        (429, code("TooManyConcurrentRequests"), "Convex holds us back: TooManyC", Again),
        (503, code("OptimisticConcurrencyControlFailure"), "Convex is busy: Optim", Again),
        (503, code("CommitterFullError"), "Convex is busy: Comm", Again),
        (503, code("ExpiredInQueue"), "Convex is busy: Exp", Again),
        (503, code("WorkerOverloaded"), "Convex is busy: Work", Again),
        (503, code("InitialPermitTimeoutError"), "Convex is busy: Init", Again),
        (503, "<html>503</html>".to_owned(), "Convex is busy: 503", Again),
        (500, code("InternalServerError"), "Convex did not answer: 500 InternalServerError", Again),
        (502, "<html><body>Bad gateway</body></html>".to_owned(), "Convex did not answer: 502", Again),
        (200, "{\"status\":\"success\",\"val".to_owned(), "Convex did not answer: its answer is cut off", Again),
        (200, "<html>log in to the wifi</html>".to_owned(), "Convex did not answer: its answer is cut off", Again),
        (301, String::new(), "Convex does not understand the request: 301", None),
    ] {
        let error = judge(ASKED, status, body.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(shown), "{status} {body}: {error}");
        assert_eq!(error.remedy(), remedy, "{status} {body}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        assert_eq!(error.is_pressure(), matches!(status, 421 | 425 | 429 | 503), "{status} {body}");
    }
    let value = judge(ASKED, 200, br#"{"status":"success","value":{"a":1},"logLines":[]}"#);
    assert_eq!(value, Ok(json!({"a": 1})));
}

#[test]
fn a_body_near_the_limit_is_halved() {
    let asked = Asked { bytes: 16 * 1024 * 1024, ..ASKED };
    let error = judge(asked, 400, code("BadJsonBody").as_bytes()).unwrap_err();
    assert_eq!(error, ConvexError::TooLarge { limit: "body".to_owned() });
}
