//! Whatever a peer says or a user types, there is an answer and no end of the program.

use proptest::prelude::*;

use crate::answer::{Answer, forbidden};
use crate::{Fingerprint, NodeAddress, PodName, RuntimeError, Server, Target};

/// Texts that look like those of a kubelet, with anything in between.
fn kubelets() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "checkpointing of ",
        " failed (",
        ")",
        "rpc error: code = ",
        " desc = ",
        "Forbidden (user=",
        ", verb=",
        ", resource=",
        ", subresource(s)=[",
        "])",
        "User \"",
        "\" cannot ",
        " resource \"",
        "{\"items\":[",
        "\"/a\"",
        "]}",
        "{\"kind\":\"Status\"",
        "container ",
        " does not exist",
        "dump.log",
        "path=/",
        "=",
        "é",
    ]);
    let piece = prop_oneof![3 => pieces.prop_map(str::to_owned), 1 => ".{0,8}"];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_answer_is_judged(status in 100u16..600, body in kubelets(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let target = Target::new("default", "web", "app").unwrap();
        for server in [Server::Kubelet("a:1".into()), Server::Proxied("n".into())] {
            for body in [body.as_bytes(), &bytes] {
                let answer = Answer { status, body: body.to_vec(), ..Answer::default() };
                match answer.judge(&server, &target) {
                    Ok(paths) => prop_assert!(status == 200 && !paths.is_empty()),
                    Err(error) => {
                        prop_assert!(!error.to_string().is_empty() && !error.remedy().is_empty());
                        // Only two reasons are ever asked again for, and they come with 500 alone.
                        prop_assert!(!error.is_transient() || status == 500);
                    }
                }
            }
        }
    }

    #[test]
    fn any_text_of_a_runtime_is_decoded(body in kubelets()) {
        let error = RuntimeError::decode(&body);
        prop_assert!(error.log.is_none_or(|log| log.starts_with('/')));
        let _ = forbidden(Server::ApiServer, &body);
    }

    #[test]
    fn addresses_come_back_as_they_are_told(text in "[a-z0-9:.\\[\\]/%-]{0,24}") {
        if let Ok(address) = text.parse::<NodeAddress>() {
            prop_assert_eq!(address.to_string().parse::<NodeAddress>().unwrap(), address);
        }
    }

    #[test]
    fn names_hold_nothing_that_a_url_reads_otherwise(text in ".{0,40}") {
        if PodName::new(&text).is_ok() {
            prop_assert!(!text.contains(['/', '%', '?', '#', ' ', '\\']) && !text.contains(".."));
        }
    }

    #[test]
    fn fingerprints_come_back(bytes in any::<[u8; 16]>(), text in ".{0,80}") {
        let fingerprint = Fingerprint::of(&bytes);
        prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        let _ = text.parse::<Fingerprint>();
    }
}
