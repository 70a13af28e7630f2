//! Who may ask, from where, and what browsers are told of the answers.

use super::*;

#[test]
fn answers_carry_a_strict_policy() {
    let page = Page::open();
    for path in [
        "/",
        "/main.js",
        "/page.css",
        "/vendor/uPlot.iife.min.js",
        "/api/plans",
        "/nothing",
        "/stats/requests",
    ] {
        let answer = page.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    assert_eq!(
        page.get("/").header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        page.get("/main.js").header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(page.get("/nothing").status, 404);
    assert_eq!(page.get("/../Cargo.toml").status, 404);
    assert_eq!(
        ask(page.address, "DELETE", "/api/runs", &[], "").status,
        405
    );
}

#[test]
fn on_loopback_only_names_of_this_machine_are_answered() {
    let page = Page::open();
    let port = page.address.port();
    let as_host = |host: &str| ask(page.address, "GET", "/api/plans", &[("host", host)], "");
    for own in [
        format!("localhost:{port}"),
        "localhost:1234".to_owned(),
        format!("127.0.0.1:{port}"),
        "[::1]".to_owned(),
    ] {
        assert_eq!(as_host(&own).status, 200, "{own}");
    }
    for foreign in [
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "169.254.169.254".to_owned(),
    ] {
        let answer = as_host(&foreign);
        assert_eq!(answer.status, 403, "{foreign}");
        assert!(
            answer.error().contains("open it as localhost"),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn other_peoples_pages_change_nothing() {
    let page = Page::open();
    let own = format!("http://{}", page.address);
    let from = |method: &str, path: &str, headers: &[(&str, &str)]| {
        ask(page.address, method, path, headers, "{}").status
    };
    for (path, well) in [
        ("/api/stop", 409),
        ("/swarm", 200),
        ("/stop", 200),
        ("/stats/reset", 200),
    ] {
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            assert_eq!(
                from("POST", path, &[("origin", foreign)]),
                403,
                "{path} {foreign}"
            );
        }
        assert_eq!(
            from("POST", path, &[("sec-fetch-site", "cross-site")]),
            403,
            "{path}"
        );
        assert_eq!(from("POST", path, &[("origin", &own)]), well, "{path}");
        assert_eq!(from("POST", path, &[]), well, "{path}");
    }
    // A picture's address can be a GET.
    for path in ["/stop", "/stats/reset"] {
        assert_eq!(
            from("GET", path, &[("sec-fetch-site", "cross-site")]),
            403,
            "{path}"
        );
        assert_eq!(from("GET", path, &[]), 200, "{path}");
    }
}

#[test]
fn beyond_this_machine_a_token_is_needed() {
    let page = Page::started(TempDir::new().unwrap(), &["web", "--listen", "0.0.0.0:0"]);
    let token = page.url.split_once("?token=").unwrap().1.to_owned();
    assert_eq!(token.len(), 32);
    let refused = page.get("/");
    assert_eq!(refused.status, 401);
    assert!(
        refused.error().contains("with ?token="),
        "{}",
        refused.text()
    );
    assert_eq!(page.get("/events").status, 401);
    assert_eq!(page.post("/api/runs", "{}").status, 401);
    assert_eq!(page.get(&format!("/?token={}0", &token[1..])).status, 401);
    assert_eq!(page.get("/?token=").status, 401);

    let opened = page.get(&format!("/?token={token}"));
    assert_eq!((opened.status, opened.header("location")), (303, Some("/")));
    let cookie = opened.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap();
    let with = |name: &str, value: &str| {
        ask(page.address, "GET", "/api/plans", &[(name, value)], "").status
    };
    assert_eq!(with("cookie", &format!("other=1; {cookie}")), 200);
    assert_eq!(with("cookie", &cookie.replace(&token, "guess")), 401);
    assert_eq!(with("authorization", &format!("Bearer {token}")), 200);
    assert_eq!(with("authorization", "Bearer guess"), 401);
    assert_eq!(
        page.get(&format!("/stats/requests?token={token}")).status,
        200
    );
    // By whatever name it is reached from elsewhere.
    let elsewhere = [
        ("host", "run.example:8089"),
        ("authorization", &format!("Bearer {token}")),
    ];
    assert_eq!(
        ask(page.address, "GET", "/api/plans", &elsewhere, "").status,
        200
    );
}

#[test]
fn a_chosen_token_holds_on_loopback_too_and_must_be_long() {
    let folder = TempDir::new().unwrap();
    let page = Page::started(
        folder,
        &[
            "web",
            "--listen",
            "127.0.0.1:0",
            "--web-token",
            "sixteen-letters.",
        ],
    );
    assert!(
        page.url.ends_with("?token=sixteen-letters."),
        "{}",
        page.url
    );
    assert_eq!(page.get("/").status, 401);
    let short = Command::new(VERIFIER)
        .args(["web", "--listen", "127.0.0.1:0", "--web-token", "short"])
        .output()
        .unwrap();
    assert_eq!(short.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&short.stderr).contains("at least 16"));
}

#[test]
fn a_taken_port_is_said_with_what_to_do() {
    let page = Page::open();
    let address = page.address.to_string();
    let second = Command::new(VERIFIER)
        .args(["web", "--listen", &address])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&address) && said.contains("another program listens there already"),
        "{said}"
    );
}

#[test]
fn too_much_is_refused() {
    let page = Page::open();
    let large = format!("{{\"plan\":\"{}\"}}", "a".repeat(1 << 17));
    assert_eq!(page.post("/api/runs", &large).status, 413);
    let long = format!("/?a={}", "a".repeat(1 << 17));
    let status = page.get(&long).status;
    assert!(matches!(status, 414 | 431), "{status}");
}
