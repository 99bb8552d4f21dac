//! What browsers need: gRPC-web over HTTP/1.1 and 2, and CORS (the Fetch standard) for viewers of other
//! origins.

use super::config::ConfigError;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use std::time::Duration;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_layer::{Identity, Stack};

/// CORS outside, the translation of gRPC-web inside.
pub(super) type WebLayers = Stack<GrpcWebLayer, Stack<CorsLayer, Identity>>;

/// What gRPC-web clients send.
const REQUEST_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("grpc-timeout"),
];
/// What they read when a call fails before its first message.
const ANSWER_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];
/// How long a browser may remember that it was allowed.
const PREFLIGHT: Duration = Duration::from_secs(3600);

/// Lets `cors` answer preflights before anything asks for a token, and translates gRPC-web.
pub(super) fn transport(cors: CorsLayer) -> Server<WebLayers> {
    Server::builder().accept_http1(true).layer(cors).layer(GrpcWebLayer::new())
}

/// The origins whose pages may call; `*` for every one. None: only pages of the server's own origin.
pub(super) fn cors(origins: &[String]) -> Result<CorsLayer, ConfigError> {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|text| origin(text)).collect::<Result<Vec<_>, _>>()?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(ANSWER_HEADERS)
        .max_age(PREFLIGHT))
}

/// An origin exactly as browsers write it: a trailing slash or a default port would never match.
fn origin(text: &str) -> Result<HeaderValue, ConfigError> {
    let bad = || ConfigError::Origin { found: text.to_owned() };
    let uri: Uri = text.parse().map_err(|_| bad())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(bad()) };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(bad()),
    };
    let plain = format!("{scheme}://{authority}").to_ascii_lowercase() == text;
    if !plain || authority.port_u16() == Some(default_port) || text.contains('@') {
        return Err(bad());
    }
    HeaderValue::from_str(text).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in ["https://viewer.example", "http://localhost:3000", "http://[::1]:8080"] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "viewer.example",
            "https://Viewer.example",
            "https://a@b.example",
            "https://viewer.example/",
            "https://a.example:443",
            "null",
            "ftp://a",
            "",
        ] {
            assert!(matches!(origin(bad), Err(ConfigError::Origin { found }) if found == bad), "{bad}");
        }
    }
}
