//! What an answer to `POST /checkpoint/…` means.
//!
//! The kubelet's own texts are in `pkg/kubelet/server/server.go` (`checkpoint`, `InstallAuthNotRequiredHandlers`,
//! `InstallAuthFilter`); several cases share a status, and only the text tells them apart. The API server answers with a
//! `Status` object where it does not pass on what the kubelet says.

use serde::Deserialize;

use crate::error::{Denied, Error, Server};
use crate::name::Target;
use crate::reason::RuntimeError;

/// An answer to `POST /checkpoint/…`, as it came. A [`Client`](crate::Client) judges what it gets; this is for those that ask by
/// other means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Allow`; empty where there is none.
    pub allow: String,
    /// The header `Location`; empty where there is none.
    pub location: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of a success.
#[derive(Deserialize)]
struct Items {
    items: Vec<String>,
}

/// What the API server says itself (`k8s.io/apimachinery/pkg/apis/meta/v1`, `Status`).
#[derive(Deserialize)]
struct Status {
    kind: String,
    #[serde(default)]
    message: String,
}

/// What `net/http` answers on a TLS port to a request without TLS.
pub(crate) const PLAIN_HTTP: &str = "Client sent an HTTP request to an HTTPS server";

/// Most of an unknown text that is repeated, in characters.
const MOST_REPEATED: usize = 400;

/// Most of an answer's text that is read for what it means, in characters.
const MOST_READ: usize = 8192;

impl Answer {
    fn text(&self) -> String {
        cut(String::from_utf8_lossy(&self.body).trim(), MOST_READ)
    }

    fn beginning(&self) -> String {
        cut(&self.text(), MOST_REPEATED)
    }

    /// The API server's own words, where the answer is its own.
    fn status_message(&self) -> Option<String> {
        let status: Status = serde_json::from_slice(&self.body).ok()?;
        (status.kind == "Status").then(|| cut(&status.message, MOST_READ))
    }

    /// The archives' paths on the node, as the server `server` tells them to somebody who asked for a checkpoint of `target`.
    /// Nobody has checked that they are paths, see [`Target::names_archive`].
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn judge(&self, server: &Server, target: &Target) -> Result<Vec<String>, Error> {
        let server = || server.clone();
        let own = self.status_message();
        // Who speaks: behind the proxy it is the API server if the text has its form.
        let speaker = || if own.is_some() { Server::ApiServer } else { server() };
        let text = own.clone().unwrap_or_else(|| self.text());
        let unknown = || Error::Answer {
            server: speaker(),
            status: self.status,
            text: own.clone().unwrap_or_else(|| self.beginning()),
        };
        match self.status {
            200 => {
                let items: Items = serde_json::from_slice(&self.body).map_err(|_| unknown())?;
                if items.items.is_empty() { Err(unknown()) } else { Ok(items.items) }
            }
            300..=399 => Err(Error::Redirect {
                server: server(),
                location: cut(&self.location, MOST_REPEATED),
            }),
            400 if text.contains(PLAIN_HTTP) => Err(Error::PlainHttp(server())),
            401 => Err(Error::Unauthorized(speaker())),
            403 => Err(Error::Forbidden(Box::new(forbidden(speaker(), &text)))),
            404 => Err(not_found(&text, server(), own.is_some(), target)),
            405 => Err(Error::Method { server: server(), allow: cut(&self.allow, MOST_REPEATED) }),
            406 => Err(Error::NotAcceptable(server())),
            500 if own.is_none() => Err(Error::Runtime(Box::new(RuntimeError::decode(&text)))),
            502..=504 => match server() {
                Server::Proxied(node) => Err(Error::Gateway {
                    node,
                    status: self.status,
                    text: cut(&text, MOST_REPEATED),
                }),
                _ => Err(unknown()),
            },
            _ => Err(unknown()),
        }
    }
}

fn not_found(text: &str, server: Server, own: bool, target: &Target) -> Error {
    let container = text.strip_prefix("container ").and_then(|t| t.strip_suffix(" does not exist"));
    match (text, container) {
        ("pod does not exist", _) => Error::NoPod {
            namespace: target.namespace.to_string(),
            pod: target.pod.to_string(),
            place: match &server {
                Server::Kubelet(address) => format!("on the node at {address}"),
                Server::Proxied(node) => format!("on node {node}"),
                Server::ApiServer => "in the cluster".into(),
            },
        },
        (_, Some(container)) => Error::NoContainer {
            pod: target.pod.to_string(),
            container: container.to_owned(),
            known: Vec::new(),
        },
        ("cannot parse value of timeout parameter", _) => Error::BadTimeout(server),
        // Go's own multiplexer: the kubelet registered nothing there.
        ("404 page not found", _) => Error::GateOff(server),
        _ => Error::NotFound {
            server: if own { Server::ApiServer } else { server },
            text: cut(text, MOST_REPEATED),
        },
    }
}

/// The first so many characters.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Reads who may not do what.
///
/// The kubelet: `Forbidden (user=U, verb=create, resource=nodes, subresource(s)=[checkpoint])`.
/// The API server: `nodes "n" is forbidden: User "U" cannot create resource "nodes/proxy" in API group "" at …`.
pub(crate) fn forbidden(server: Server, text: &str) -> Denied {
    let (user, verb, resource) = kubelets(text).or_else(|| api_servers(text)).unwrap_or_default();
    let text = cut(text, MOST_REPEATED);
    Denied { server, user, verb, resource, text }
}

fn kubelets(text: &str) -> Option<(String, String, String)> {
    let inner = text.strip_prefix("Forbidden (user=")?.strip_suffix(')')?;
    // From the right: a user may be named anything, the rest is not.
    let (rest, sub) = inner.rsplit_once(", subresource")?;
    let (rest, resource) = rest.rsplit_once(", resource=")?;
    let (user, verb) = rest.rsplit_once(", verb=")?;
    let (_, sub) = sub.split_once('=')?;
    let sub = sub.trim_matches(['[', ']']).split([' ', ',']).next().unwrap_or_default();
    let resource = if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") };
    Some((user.to_owned(), verb.to_owned(), resource))
}

fn api_servers(text: &str) -> Option<(String, String, String)> {
    let (_, rest) = text.split_once("User \"")?;
    let (user, rest) = rest.split_once("\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, _) = rest.split_once('"')?;
    Some((user.to_owned(), verb.to_owned(), resource.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_do_what() {
        let denied = |text: &str| {
            let denied = forbidden(Server::ApiServer, text);
            (denied.user, denied.verb, denied.resource)
        };
        let owned = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            denied(
                "Forbidden (user=system:serviceaccount:default:weak, verb=create, resource=nodes, subresource(s)=[checkpoint])"
            ),
            owned("system:serviceaccount:default:weak", "create", "nodes/checkpoint")
        );
        assert_eq!(
            denied(
                "Forbidden (user=a, verb=b, resource=nodes, verb=get, resource=nodes, subresource=proxy)"
            ),
            owned("a, verb=b, resource=nodes", "get", "nodes/proxy")
        );
        assert_eq!(
            denied(
                "nodes \"n1\" is forbidden: User \"jane\" cannot create resource \"nodes/proxy\" in API group \"\" at the cluster scope"
            ),
            owned("jane", "create", "nodes/proxy")
        );
        assert_eq!(denied("no"), owned("", "", ""));
    }

    #[test]
    fn a_success_without_a_path_is_none() {
        let target = Target::new("default", "web", "app").unwrap();
        let server = Server::Kubelet("a:1".into());
        for body in ["", "{}", "{\"items\":[]}", "{\"items\":[7]}", "[1"] {
            let answer = Answer { status: 200, body: body.into(), ..Answer::default() };
            let error = answer.judge(&server, &target).unwrap_err();
            assert_eq!(error.word(), "answer", "{body}");
            assert!(error.may_have_left_archive());
        }
        let body = r#"{"items":["/a b\u0007.tar","/c.tar"],"more":1}"#;
        let answer = Answer { status: 200, body: body.into(), ..Answer::default() };
        assert_eq!(answer.judge(&server, &target).unwrap(), ["/a b\u{7}.tar", "/c.tar"]);
    }

    #[test]
    fn of_a_long_answer_the_beginning_is_repeated() {
        let long = "x".repeat(1 << 20);
        let target = Target::new("default", "web", "app").unwrap();
        let server = Server::Proxied("n".into());
        let bodies = [
            long.clone(),
            format!("container {long} does not exist"),
            format!("Forbidden (user={long}, verb=create, resource=nodes, subresource=proxy)"),
            format!("{{\"kind\":\"Status\",\"message\":\"{long}\"}}"),
            format!(
                "{{\"kind\":\"Status\",\"message\":\"User \\\"{long}\\\" cannot x resource \\\"y\\\"\"}}"
            ),
        ];
        for status in [200, 302, 400, 401, 403, 404, 405, 409, 500, 502, 503] {
            for body in &bodies {
                let (allow, location) = (long.clone(), long.clone());
                let answer = Answer { status, allow, location, body: body.clone().into() };
                let told = answer.judge(&server, &target).unwrap_err().to_string();
                assert!(told.len() < 24 << 10, "{status}: {} bytes", told.len());
            }
        }
    }
}
