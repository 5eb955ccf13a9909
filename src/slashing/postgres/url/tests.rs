//! URLs of both forms, and what is refused in them.

use super::*;

#[test]
fn the_forms_of_a_url_name_the_same_things() {
    for (url, hosts, database, user) in [
        ("jdbc:postgresql://db/w", "db:5432", "w", "postgres"),
        ("jdbc:postgresql://db:5433/w?user=u", "db:5433", "w", "u"),
        ("jdbc:postgresql:w", "localhost:5432", "w", "postgres"),
        (
            "jdbc:postgresql:/",
            "localhost:5432",
            "postgres",
            "postgres",
        ),
        ("jdbc:postgresql:///w", "localhost:5432", "w", "postgres"),
        ("jdbc:postgresql://db:5433?user=u", "db:5433", "u", "u"),
        ("jdbc:postgresql://db:5433/?user=u", "db:5433", "u", "u"),
        (
            "jdbc:postgresql://[2001:db8::1]/w",
            "2001:db8::1:5432",
            "w",
            "postgres",
        ),
        (
            "jdbc:postgresql://[::1]:5433,b/w",
            "::1:5433 b:5432",
            "w",
            "postgres",
        ),
        (
            "jdbc:postgresql://h1:5432,h2/w%20x?targetServerType=primary",
            "h1:5432 h2:5432",
            "w x",
            "postgres",
        ),
        ("postgresql://u:p%40@a:1,b:2/w", "a:1 b:2", "w", "u"),
        ("postgres://u@[::1]:5433/w", "::1:5433", "w", "u"),
        (
            "postgresql:///w?host=/run/postgresql&port=5433",
            "/run/postgresql:5433",
            "w",
            "postgres",
        ),
        (
            "postgresql://ignored/x?host=a,b:2&dbname=w",
            "a:5432 b:2",
            "w",
            "postgres",
        ),
        (
            "postgresql://%2Frun%2Fpg:5433/w",
            "/run/pg:5433",
            "w",
            "postgres",
        ),
    ] {
        let settings = DatabaseSettings::from_url(url).unwrap();
        let found: Vec<_> = settings
            .hosts
            .iter()
            .map(|host| format!("{}:{}", host.name, host.port))
            .collect();
        let found = (found.join(" "), settings.database(), settings.user.as_str());
        assert_eq!(found, (hosts.to_owned(), database, user), "{url}");
    }
}

#[test]
fn a_password_is_decoded_as_by_jdbc_or_libpq() {
    for (url, password) in [
        ("jdbc:postgresql://db/w?password=a%26b%3Dc%25", "a&b=c%"),
        ("jdbc:postgresql://db/w?password=a=b", "a=b"),
        ("jdbc:postgresql://db/w?password=a+b%2B", "a b+"),
        ("postgresql://db/w?password=a+b", "a+b"),
        ("postgresql://u:a%3A%2F%40b@db/w", "a:/@b"),
        ("postgresql://u:a@b@db/w", "a@b"),
        ("postgresql://db/w?password=%C3%A4", "ä"),
    ] {
        let settings = DatabaseSettings::from_url(url).unwrap();
        assert_eq!(
            settings.password.as_ref().unwrap().as_str(),
            password,
            "{url}"
        );
        assert!(
            !format!("{settings:?} {}", settings.shown()).contains(password),
            "{url}"
        );
    }
}

#[test]
fn an_ssl_parameter_is_weaker_than_an_sslmode() {
    for (parameters, expected) in [
        ("", SslMode::Prefer),
        ("ssl=true", SslMode::VerifyFull),
        ("ssl", SslMode::VerifyFull),
        ("ssl=false", SslMode::Prefer),
        ("ssl=true&sslmode=prefer", SslMode::Prefer),
        ("sslmode=prefer&ssl=true", SslMode::Prefer),
        ("sslmode=require&ssl=true", SslMode::Require),
        (
            "ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory",
            SslMode::Require,
        ),
        (
            "sslfactory=org.postgresql.ssl.NonValidatingFactory&ssl=true",
            SslMode::Require,
        ),
        (
            "sslmode=verify-ca&sslfactory=org.postgresql.ssl.NonValidatingFactory",
            SslMode::VerifyCa,
        ),
        (
            "sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory",
            SslMode::Prefer,
        ),
        ("sslmode=disable", SslMode::Disable),
        ("sslmode=allow", SslMode::Allow),
        ("sslmode=verify-ca", SslMode::VerifyCa),
        ("sslmode=verify-full", SslMode::VerifyFull),
    ] {
        let url = format!("jdbc:postgresql://db/w?{parameters}");
        let settings = DatabaseSettings::from_url(&url).unwrap();
        assert_eq!(settings.ssl_mode, expected, "{url}");
    }
}

#[test]
fn parameters_have_the_meaning_of_jdbc() {
    let settings = DatabaseSettings::from_url(
        "jdbc:postgresql://a,b/w?sslmode=verify-ca&sslrootcert=/ca.pem&targetServerType=primary\
         &connectTimeout=3&socketTimeout=0&currentSchema=s&reWriteBatchedInserts=true",
    )
    .unwrap();
    assert_eq!(settings.ssl_mode, SslMode::VerifyCa);
    assert_eq!(settings.connect_timeout, Duration::from_secs(3));
    assert_eq!(settings.socket_timeout, SOCKET_TIMEOUT);
    assert_eq!(settings.schema.as_deref(), Some("s"));
    assert_eq!(
        settings.notices,
        ["database parameter reWriteBatchedInserts is ignored"]
    );
}

#[test]
fn a_wrong_url_gets_a_sentence_that_tells_no_password() {
    for (url, part) in [
        (
            "jdbc:postgresql://h/db;user=x&password=secret",
            "then ? and the parameters",
        ),
        (
            "mysql://db/w",
            "expected jdbc:postgresql://HOST:PORT/DATABASE",
        ),
        (
            "jdbc:mysql://db/w",
            "expected jdbc:postgresql://HOST:PORT/DATABASE",
        ),
        ("postgresql://db:x/w", "expected a port from 1 to 65535"),
        ("postgresql://db:0/w", "expected a port from 1 to 65535"),
        ("postgresql://db:65536/w", "expected a port"),
        ("postgresql://db/w?port=-1", "expected a port"),
        ("postgresql://u:pass/word@db/w", "%2F"),
        ("postgresql://u:5432/secret@db", "%2F"),
        ("postgresql://u:secret:5432,[::1]:1/db", "%2F"),
        ("jdbc:postgresql:db;password=secret", "then ? and the"),
        ("postgresql://db&password=secret", "/ and the name"),
        ("postgresql://db/w/x", "one name of a database"),
        (
            "postgresql://db/w?sslmode=maybe",
            "sslmode: expected disable, allow",
        ),
        (
            "postgresql://db/w?sslmode=allow;password=secret",
            "separates",
        ),
        ("postgresql://db/w?sslcert=/c.pem", "expected both or none"),
        ("postgresql://db/w?sslkey=/c.key", "expected both or none"),
        (
            "postgresql://db/w?targetServerType=secondary",
            "only a primary can record",
        ),
        (
            "postgresql://db/w?targetServerType=preferSecondary",
            "only a primary can record",
        ),
        (
            "postgresql://db/w?connectTimeout=-1",
            "connectTimeout: expected 0 to 60 seconds",
        ),
        (
            "postgresql://db/w?socketTimeout=61",
            "socketTimeout: expected 0 to 60 seconds",
        ),
        ("postgresql://db/%zz", "two hex digits"),
        ("postgresql://db/%ff", "UTF-8"),
    ] {
        let url = format!(
            "{url}{}password=hidden",
            if url.contains('?') { "&" } else { "?" }
        );
        let error = DatabaseSettings::from_url(&url).unwrap_err();
        assert!(error.contains(part), "{url}: {error}");
        assert!(!error.contains("hidden"), "{url}: {error}");
        let tells = error.contains("secret") || error.contains("pass/");
        assert!(!tells, "{url}: {error}");
    }
}

#[test]
fn of_pool_properties_the_ones_that_matter_are_taken_and_the_rest_is_one_notice() {
    let mut settings = DatabaseSettings::from_url("postgresql://db/w").unwrap();
    settings
        .apply_pool_properties(
            "# pool\n! too\n\nmaximumPoolSize=10\nminimumIdle = 2\ndataSource.sslmode=require\n\
             username: u\npassword=p\nconnectionTimeout=500\ndataSource.socketTimeout=3\nschema=s\n",
        )
        .unwrap();
    assert_eq!(settings.ssl_mode, SslMode::Require);
    assert_eq!(settings.user, "u");
    assert_eq!(settings.password.as_ref().unwrap().as_str(), "p");
    assert_eq!(settings.connect_timeout, Duration::from_millis(500));
    assert_eq!(settings.socket_timeout, Duration::from_secs(3));
    assert_eq!(settings.schema.as_deref(), Some("s"));
    assert_eq!(settings.notices.len(), 1);
    let notice = &settings.notices[0];
    assert!(
        notice.ends_with(": maximumPoolSize, minimumIdle"),
        "{notice}"
    );
    for (line, part) in [
        (
            "connectionTimeout=soon",
            "connectionTimeout: expected milliseconds",
        ),
        ("dataSource.sslmode=maybe", "sslmode: expected"),
        ("dataSource.sslcert=/c.pem", "expected both or none"),
    ] {
        let error = settings.clone().apply_pool_properties(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn a_database_is_shown_by_its_hosts_and_its_name() {
    let url = "postgresql://u:secret@a:1,[::1]/w?sslmode=disable&password=secret";
    let settings = DatabaseSettings::from_url(url).unwrap();
    let shown = "postgresql://a:1,::1:5432/w";
    assert_eq!(settings.shown(), shown);
    assert_eq!(format!("{settings:?}"), shown);
}

#[test]
fn files_of_certificates_are_those_that_are_named_or_none() {
    for (parameters, root, identity) in [
        ("", None, None),
        ("sslrootcert=system", None, None),
        ("sslrootcert=/ca.pem", Some("/ca.pem"), None),
        (
            "sslcert=/c.pem&sslkey=/c.key",
            None,
            Some(("/c.pem", "/c.key")),
        ),
    ] {
        let url = format!("postgresql://db/w?{parameters}");
        let settings = DatabaseSettings::from_url(&url).unwrap();
        assert_eq!(settings.ssl_root_cert, root.map(PathBuf::from), "{url}");
        let identity = identity.map(|(certificate, key)| (certificate.into(), key.into()));
        assert_eq!(settings.ssl_identity, identity, "{url}");
    }
}

#[test]
fn a_wrong_value_is_shown_when_it_is_a_short_word() {
    for (value, is_shown) in [
        ("", true),
        ("may-be_1.0", true),
        ("aaaaaaaaaaaaaaaaaaaa", true),
        ("aaaaaaaaaaaaaaaaaaaaa", false),
        ("a b", false),
        ("a@", false),
        ("a;b", false),
        ("\u{e4}", false),
    ] {
        assert_eq!(
            shown(value) == format!("{value:?}"),
            is_shown,
            "{value}: {}",
            shown(value)
        );
    }
}

#[test]
fn the_server_and_the_batches_end_before_the_time_of_a_request() {
    for (seconds, batch_ms, statement_ms, lock_ms) in
        [(2, 1000, 1500, 1000), (60, 30_000, 45_000, 30_000)]
    {
        let url = format!("postgresql://db/w?socketTimeout={seconds}");
        let settings = DatabaseSettings::from_url(&url).unwrap();
        assert_eq!(
            settings.batch_time_max(),
            Duration::from_millis(batch_ms),
            "{url}"
        );
        assert_eq!(settings.statement_timeout_ms(), statement_ms, "{url}");
        assert_eq!(settings.lock_timeout_ms(), lock_ms, "{url}");
    }
}
