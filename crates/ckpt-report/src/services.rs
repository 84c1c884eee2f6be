//! Names of ports, for those who ask for them: a port says nothing of what really listens there.

/// The ports that are met most, by number: IANA's registry of service names.
const SERVICES: [(u32, &str); 46] = [
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "domain"),
    (67, "bootps"),
    (68, "bootpc"),
    (69, "tftp"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (111, "sunrpc"),
    (123, "ntp"),
    (143, "imap"),
    (161, "snmp"),
    (162, "snmptrap"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (445, "microsoft-ds"),
    (465, "submissions"),
    (514, "syslog"),
    (587, "submission"),
    (631, "ipp"),
    (636, "ldaps"),
    (853, "domain-s"),
    (873, "rsync"),
    (989, "ftps-data"),
    (990, "ftps"),
    (993, "imaps"),
    (995, "pop3s"),
    (1080, "socks"),
    (1433, "ms-sql-s"),
    (1883, "mqtt"),
    (2049, "nfs"),
    (2379, "etcd-client"),
    (2380, "etcd-server"),
    (3306, "mysql"),
    (3389, "ms-wbt-server"),
    (5432, "postgresql"),
    (5672, "amqp"),
    (6379, "redis"),
    (8080, "http-alt"),
    (11211, "memcache"),
    (27017, "mongodb"),
];

/// The name of a port.
pub(crate) fn service(port: u32) -> Option<&'static str> {
    let index = SERVICES.binary_search_by_key(&port, |(number, _)| *number).ok()?;
    SERVICES.get(index).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ports_have_names() {
        assert!(SERVICES.is_sorted());
        assert_eq!(service(6379), Some("redis"));
        assert_eq!(service(40_000), None);
    }
}
