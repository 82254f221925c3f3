"""What has the shape of a secret is found, also encoded; what a diagnosis needs is not touched; no text is slow."""

import base64
import json
import time
from collections import Counter

import pytest

from aiops_cli.domain.secret_shapes import KINDS
from aiops_cli.domain.secrets import find_secrets, is_secret_name, is_secret_value, mask_secrets
from tests.clean_lines import clean_lines
from tests.secret_samples import ENCODINGS, Maker, Sample, samples, traces

SAMPLES = samples()
MAKE = Maker(5)


def test_there_are_as_many_secrets_and_kinds_as_we_say() -> None:
    assert len(SAMPLES) >= 160
    assert len({sample.kind for sample in SAMPLES}) >= 100
    assert len(KINDS) >= 90


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.kind)
def test_a_secret_is_masked_in_every_encoding(sample: Sample, encoding: str) -> None:
    text = f"first line\n{ENCODINGS[encoding](sample.text)}\nlast line"
    masked, count = mask_secrets(text)
    assert count >= 1
    assert not [trace for trace in traces(sample) if trace in masked]
    assert masked.startswith("first line\n") and masked.endswith("\nlast line")
    assert masked.count("\n") == text.count("\n")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.kind)
def test_masking_what_is_masked_changes_nothing(sample: Sample) -> None:
    masked = mask_secrets(sample.text)[0]
    assert mask_secrets(masked) == (masked, 0)


def test_no_seed_makes_a_secret_that_gets_through() -> None:
    for seed in range(20, 40):
        for sample in samples(seed):
            masked = mask_secrets(sample.text)[0]
            assert not [trace for trace in traces(sample) if trace in masked], (seed, sample.kind)


def test_only_the_secret_goes() -> None:
    word = MAKE.word(12)
    assert mask_secrets(f"postgres://app:{word}@db:5432/x?sslmode=require") == (
        "postgres://app:‹password›@db:5432/x?sslmode=require",
        1,
    )
    assert mask_secrets(f'{{"password": "{word} {word}", "ssl": 1}}')[0] == '{"password": "‹secret›", "ssl": 1}'
    assert mask_secrets(f'{{"tokens": 2, "api_key": ["{word}", "x{word}"], "n": 1')[0].endswith(
        '"api_key": ‹secret›, "n": 1'
    )
    assert mask_secrets(f"?password={word}&ssl=true")[0] == "?password=‹secret›&ssl=true"
    assert mask_secrets(f"url http://db:8080/path?mail=a@b.c&x={word}")[1] == 0


def test_a_secret_in_two_layers_of_encoding_is_found() -> None:
    inner = base64.b64encode(f"ci:{MAKE.word(20)}".encode()).decode()
    outer = base64.b64encode(json.dumps({"auths": {"r.io": {"auth": inner}}}).encode()).decode()
    masked, count = mask_secrets(f".dockerconfigjson: {outer}")
    assert count == 1 and outer[:20] not in masked


@pytest.mark.parametrize("before", ["", "x", "path/", "ab_", "abc-"])
def test_base64_is_found_wherever_in_a_word_it_begins(before: str) -> None:
    encoded = base64.b64encode(f"DB_PASSWORD={MAKE.word(12)}".encode()).decode()
    assert encoded[8:] not in mask_secrets(f"see {before}{encoded} there")[0]


def test_base64_over_several_lines_is_found() -> None:
    text = "\n".join(["region: eu-1"] * 5 + [f"password: {MAKE.word(20)}"] + ["zone: b"] * 9)
    wrapped = base64.encodebytes(text.encode()).decode()
    masked, count = mask_secrets(f"config: |\n{wrapped}end")
    assert count == 1 and "‹encoded-secret›" in masked and masked.endswith("end")


def test_a_private_key_that_was_cut_goes_with_its_lines_and_no_further() -> None:
    key = next(s.text for s in SAMPLES if s.kind == "rsa-private-key")
    cut = key[: key.index("-----END")]
    masked, _ = mask_secrets(f"{cut}\n2026-11-20 pod payments-api restarted")
    assert "restarted" in masked
    assert not any(line in masked for line in cut.splitlines()[1:])


def test_what_a_percent_sign_hides_cannot_act_on_a_terminal() -> None:
    masked, count = mask_secrets(f"password%3D{MAKE.word(12)}%1B%5B2J%0Ax")
    assert count == 1
    assert "\x1b" not in masked and "\n" not in masked


def test_the_kinds_are_counted() -> None:
    found: Counter[str] = Counter()
    find_secrets("\n".join([SAMPLES[0].text, SAMPLES[0].text, f"password={MAKE.word(9)}"]), found)
    assert found == {"aws-key": 2, "secret": 1}


# --- what is no secret -----------------------------------------------------------------------------------------------


def test_fifty_thousand_clean_lines_survive() -> None:
    lines = clean_lines(50_000)
    assert [line for line in lines if mask_secrets(line) != (line, 0)] == []
    together = "\n".join(lines)
    assert mask_secrets(together) == (together, 0)


@pytest.mark.parametrize(
    "line",
    [
        "max_tokens: 4096 prompt_tokens=120 tokens: 88",
        "pod payments-api-7d9f8b6c5-x2x4k OOMKilled exit code 137",
        "image registry.example/payments:5.18.2 not found",
        "GET /v1/pay 502 in 5.2s trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "secret not mounted",
        "token: expired",
        "user:pass@",
        "password: ‹secret›",
        "PASSWORD=${DB_PASSWORD} TOKEN=$TOKEN",
        "secretName: db-credentials",
        "private_key: /etc/tls/tls.key",
        "passwordResetUrl: https://shop.io/reset",
    ],
)
def test_what_a_diagnosis_needs_survives(line: str) -> None:
    assert mask_secrets(line) == (line, 0)


@pytest.mark.parametrize("name", ["password", "DB_PASSWORD", "apiKey", "client-secret", "Authorization", "auth",
                                  "token", "stripe_api_key", "PGPASSWORD", "x-api-key", "tokenSecret",
                                  "credentials"])  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["max_tokens", "token_count", "tokens", "secretName", "passwordPolicy", "author",
                                  "key", "next_token", "secretKeyRef", "token_type", "keyboard", "compass",
                                  "eos_token"])  # fmt: skip
def test_names_of_something_else(name: str) -> None:
    assert not is_secret_name(name)


def test_words_and_figures_under_the_name_of_a_secret_are_none() -> None:
    assert is_secret_value("token", MAKE.word(12)) and is_secret_value("password", "12345678")
    assert not any(is_secret_value("token", value) for value in ("4096", "expired", "", "${TOKEN}", "‹secret›"))


# --- time ------------------------------------------------------------------------------------------------------------

_SIZE = 300_000
_PIECES = (
    "://a:", "://a:b@", "password=", 'password="', "password='", 'password=\\"', "--password ", "--token=", "eyJ",
    "eyJ" + "a" * 20 + ".", "%41", "QWxh", "aGVsbG8gd29ybGQg", "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nABCDEFGHIJKLMNOPQRST\n",
    "<password>", "login a password ",
    "cookie: a=b;", "authorization: bearer ", "name: password, value: ", "kind: Secret\ndata:\n  a: b\n",
    "password: |\n  x\n", "mysql -p", "curl -u a:", "x:5432:a:b:", "app:x@tcp(", "$2y$", "sk-aaaaaaaaaaaaaaaaaaaa ",
    "/api/webhooks/", "‹aws-key› ", "\\", '"', "a:", "=", "-", "_", "A" * 70 + "\n", "secret_",
    "Private-Lines: 10\n",
    "M" * 30 + ".", "private key: ", "identified by '", "a,",
)  # fmt: skip


def test_no_text_takes_much_longer_than_a_clean_one_of_its_size() -> None:
    """A ratio within one run: the clean text is one of many lines with the words of secrets in it."""

    def seconds(text: str) -> float:
        started = time.perf_counter()
        mask_secrets(text)
        return time.perf_counter() - started

    bad = {piece: (piece * (_SIZE // len(piece) + 1))[:_SIZE] for piece in _PIECES}
    bad["a long address"] = "://" + "a" * 150_000 + ":" + "b" * 150_000 + "@"
    bad["a long value"] = "password=" + "a," * 150_000
    bad["all at once"] = (" ".join(sample.text for sample in SAMPLES) * 20)[:_SIZE]
    clean = "\n".join(clean_lines(5_000))[:_SIZE]
    usual = max(seconds(clean) for _ in range(3))
    slow = {name: round(took / usual, 1) for name, text in bad.items() if (took := seconds(text)) > 25 * usual}
    assert not slow
