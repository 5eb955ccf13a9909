//! The signer that one writes in an afternoon: axum, serde_json and blst's `sign`. It signs the root that it is
//! given: no types, no signing root to compute, no slashing protection, no keystores, keys on the heap.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use blst::min_pk::SecretKey;
use serde_json::{Value, json};

use super::DST;

/// Keys that it has.
pub(crate) const KEYS: u64 = 1_000;

/// It runs in a process of its own.
pub(crate) struct Afternoon {
    process: Child,
    pub(crate) address: String,
}

impl Afternoon {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
            .arg("afternoon")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut address = String::new();
        BufReader::new(process.stdout.take().expect("piped"))
            .read_line(&mut address)
            .expect("it listens");
        let address = address.trim().to_owned();
        Self { process, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Afternoon {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

pub(crate) fn serve() {
    let mut keys = HashMap::new();
    for number in 0..KEYS {
        let mut scalar = [0x5a; 32];
        scalar[..8].copy_from_slice(&number.to_be_bytes());
        let key = SecretKey::from_bytes(&scalar).expect("a secret key");
        keys.insert(number.to_string(), key);
    }
    let router = Router::new()
        .route("/sign/{key}", post(sign))
        .with_state(Arc::new(keys));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, router).await.expect("it serves");
    });
}

async fn sign(
    State(keys): State<Arc<HashMap<String, SecretKey>>>,
    Path(key): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let key = keys.get(&key).ok_or(StatusCode::NOT_FOUND)?;
    let root = body["signingRoot"]
        .as_str()
        .ok_or(StatusCode::BAD_REQUEST)?;
    let root: Vec<u8> = const_hex::decode(root).map_err(|_| StatusCode::BAD_REQUEST)?;
    let signature = key.sign(&root, DST, &[]).to_bytes();
    Ok(Json(
        json!({"signature": format!("0x{}", const_hex::encode(signature))}),
    ))
}
