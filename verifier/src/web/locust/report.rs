//! `/stats/report`: the report of the run that is shown.

use super::Answer;
use crate::web::download;
use crate::web::files;
use crate::web::guard::parameter;
use crate::web::refusal::Refusal;
use crate::web::site::Site;
use crate::web::tail::name;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{Uri, header};
use std::sync::Arc;

/// The file holds its own scripts and styles, and its own policy that names them by their hashes: both count. What it
/// does, it does as nobody's page.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
    font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    sandbox allow-scripts allow-downloads allow-modals allow-popups";

/// The report; with `?download=1` to be kept.
pub(in super::super) async fn report(State(site): State<Arc<Site>>, uri: Uri) -> Answer {
    let folder = site.shown();
    let file = folder
        .as_ref()
        .and_then(|folder| files::open(folder, "report.html"));
    let (Some(folder), Some(file)) = (folder, file) else {
        let error = "there is no report yet: it is written when the run has ended and was judged";
        return Err(Refusal::nothing(error));
    };
    let download = uri.query().and_then(|query| parameter(query, "download"));
    if download.is_some_and(|value| !value.is_empty()) {
        let file_name = format!("{}.html", name(&folder));
        return download::attachment(file, &file_name, "text/html; charset=utf-8");
    }
    let length = file.metadata().map_err(Refusal::nothing)?.len();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    Ok((headers, download::content(file, length)).into_response())
}
