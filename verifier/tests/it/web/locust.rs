//! Locust's endpoints, as a script uses them; that their shapes are Locust's is held against Locust itself (`just outputs`).

use super::*;

#[test]
fn a_script_made_for_locust() {
    let page = Page::open();
    let requests = || page.get("/stats/requests").json();
    assert_eq!(requests()["state"], "ready");
    let form = |body: &str| page.post("/swarm", body).json();
    let refused = form("user_count=ten&spawn_rate=1");
    assert_eq!(refused["success"], false);
    assert_eq!(
        refused["message"],
        "Invalid user_count value: 'ten' (must be an integer)"
    );
    let refused = form("user_count=10&spawn_rate=1&plan=nothing");
    assert!(
        refused["message"].as_str().unwrap().contains("no plan"),
        "{refused}"
    );

    let begun = form("user_count=5&spawn_rate=50&host=&run_time=1m");
    assert_eq!(
        begun,
        serde_json::json!({"success":true,"message":"Swarming started","host":null,"run_time":60})
    );
    wait_until("users that make requests", || {
        let now = requests();
        now["state"] == "running"
            && now["user_count"] == 5
            && now["stats"][0]["num_requests"].as_u64() > Some(0)
    });
    assert_eq!(page.get("/stats/reset").status, 409);
    // Swarmed again, Locust changes the number of users.
    assert_eq!(form("user_count=12&spawn_rate=50")["success"], true);
    wait_until("more users", || requests()["user_count"] == 12);
    let tasks = page.get("/tasks").json();
    assert_eq!(tasks["per_class"]["quick"]["ratio"], 1.0, "{tasks}");
    let logs = page.get("/logs").json();
    assert!(
        logs["master"]
            .as_array()
            .is_some_and(|lines| !lines.is_empty()),
        "{logs}"
    );
    assert_eq!(
        page.get("/exceptions").json(),
        serde_json::json!({"exceptions":[]})
    );
    wait_until("a history", || {
        page.get("/stats/requests_full_history/csv")
            .text()
            .lines()
            .count()
            > 2
    });
    let table = page.get("/stats/requests/csv").text();
    assert!(
        table.starts_with("Type,Name,Request Count,Failure Count,"),
        "{table}"
    );
    assert_eq!(
        table.matches("\r\n").count(),
        table.lines().count(),
        "{table}"
    );
    let aggregated = table.lines().last().unwrap();
    assert!(aggregated.starts_with(",Aggregated,"), "{table}");
    assert!(
        page.get("/stats/failures/csv")
            .text()
            .starts_with("Method,Name,Error,Occurrences,First Seen,Last Seen\r\n")
    );

    let stopped = page.post("/stop", "").json();
    assert_eq!(
        stopped,
        serde_json::json!({"success":true,"message":"Test stopped"})
    );
    assert_ne!(requests()["state"], "running");
    wait_until("its end", || requests()["state"] == "stopped");
    assert_eq!(requests()["user_count"], 0);
    assert_eq!(page.get("/stats/reset").text(), "ok");
    assert_eq!(page.get("/stop").json()["success"], true);
}
