//! Manifests that grant what is missing.

use std::fmt::Write as _;

use crate::cluster::Access;

/// The user as whom API servers usually talk to kubelets (kubeadm). Other distributions have other names.
pub const APISERVER_USER: &str = "kube-apiserver-kubelet-client";

/// YAML of the roles that grant `missing` to `user`, with their bindings, for `kubectl apply -f -`. Objects are named `name`.
#[must_use]
pub fn manifest(name: &str, user: &str, missing: &[Access]) -> String {
    let mut namespaces: Vec<_> = missing.iter().map(|access| access.namespace.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    let mut out = String::new();
    for namespace in namespaces {
        let (role, place) = match &namespace {
            Some(namespace) => ("Role", format!("\n  namespace: {namespace}")),
            None => ("ClusterRole", String::new()),
        };
        let api = "rbac.authorization.k8s.io";
        let _ = write!(
            out,
            "apiVersion: {api}/v1\nkind: {role}\nmetadata:\n  name: {name}{place}\nrules:\n"
        );
        for (resource, verbs) in rules(missing.iter().filter(|one| one.namespace == namespace)) {
            let verbs = verbs.join(", ");
            let _ = write!(
                out,
                "- apiGroups: [\"\"]\n  resources: [\"{resource}\"]\n  verbs: [{verbs}]\n"
            );
        }
        let _ = write!(
            out,
            "---\napiVersion: {api}/v1\nkind: {role}Binding\nmetadata:\n  name: {name}{place}\n\
             roleRef:\n  apiGroup: {api}\n  kind: {role}\n  name: {name}\nsubjects:\n{}---\n",
            subject(user)
        );
    }
    out.truncate(out.len().saturating_sub("---\n".len()));
    out
}

/// Verbs of each resource, in the order in which they were asked for.
fn rules<'a>(missing: impl Iterator<Item = &'a Access>) -> Vec<(String, Vec<&'static str>)> {
    let mut rules: Vec<(String, Vec<&'static str>)> = Vec::new();
    for access in missing {
        let resource = match access.subresource {
            "" => access.resource.to_owned(),
            subresource => format!("{}/{subresource}", access.resource),
        };
        match rules.iter_mut().find(|(known, _)| *known == resource) {
            Some((_, verbs)) if verbs.contains(&access.verb) => {}
            Some((_, verbs)) => verbs.push(access.verb),
            None => rules.push((resource, vec![access.verb])),
        }
    }
    rules
}

/// The subject of a binding. A string of JSON is one of YAML too.
fn subject(user: &str) -> String {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match account {
        Some((namespace, name)) => format!(
            "- kind: ServiceAccount\n  name: {}\n  namespace: {}\n",
            quoted(name),
            quoted(namespace)
        ),
        None => format!(
            "- apiGroup: rbac.authorization.k8s.io\n  kind: User\n  name: {}\n",
            quoted(user)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;

    #[test]
    fn a_service_account_that_may_nothing() {
        let namespace = Namespace::new("shop").unwrap();
        let text = manifest(
            "ckpt-inspect-trigger",
            "system:serviceaccount:forensics:analyst",
            &[
                Access::cluster("create", "nodes", "checkpoint"),
                Access::within(&namespace, "get", "pods", ""),
                Access::within(&namespace, "list", "pods", ""),
            ],
        );
        assert_eq!(
            text,
            "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: ckpt-inspect-trigger
rules:
- apiGroups: [\"\"]
  resources: [\"nodes/checkpoint\"]
  verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: ckpt-inspect-trigger
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: ckpt-inspect-trigger
subjects:
- kind: ServiceAccount
  name: \"analyst\"
  namespace: \"forensics\"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: ckpt-inspect-trigger
  namespace: shop
rules:
- apiGroups: [\"\"]
  resources: [\"pods\"]
  verbs: [get, list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: ckpt-inspect-trigger
  namespace: shop
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: ckpt-inspect-trigger
subjects:
- kind: ServiceAccount
  name: \"analyst\"
  namespace: \"forensics\"
"
        );
    }

    #[test]
    fn a_user_of_any_name_stays_one_string() {
        let text =
            manifest("x", "jane \"j\"\nkind: Evil", &[Access::cluster("create", "nodes", "proxy")]);
        assert!(text.ends_with("  name: \"jane \\\"j\\\"\\nkind: Evil\"\n"), "{text}");
    }
}
