"""What we write, another's validator accepts; what another's generator writes, we read."""

import io
from dataclasses import replace

import pytest
import pyx12.params
import pyx12.x12n_document
from x12_samples import (
    BATCH,
    REPORT,
    TO_CLINIC,
    TO_PAYER,
    claims_file,
    remittance_file,
)
from x12sdk.generate import cli as generator
from x12sdk.io import X12ModelReader

from polyclinic.standards.x12.acknowledge import (
    acknowledge,
    write_acknowledgments,
    write_claim_reports,
)
from polyclinic.standards.x12.envelope import parse, refusals, write
from polyclinic.standards.x12.professional_claim import read_claims, write_claims
from polyclinic.standards.x12.remittance import read_remittances, write_remittances

SEEDS = range(1, 9)


def judged(data):
    """What pyx12 has to say: whether it is valid, and the errors it found."""
    report = io.StringIO()
    file = io.StringIO(data.decode())
    valid = pyx12.x12n_document.x12n_document(pyx12.params.params(), file, None, report)
    errors = [line for line in report.getvalue().splitlines() if '<span class="error">' in line]
    return valid, errors


def generated(capsys, kind, seed, claims=25):
    capsys.readouterr()
    generator.main([kind, "--seed", str(seed), "--claims", str(claims)])
    return capsys.readouterr().out.encode()


def test_pyx12_finds_no_error_in_our_claims():
    assert judged(claims_file()) == (True, [])


def test_pyx12_would_find_an_error_if_there_were_one():
    valid, errors = judged(claims_file().replace(b"*18*G1*", b"*99*G1*"))
    assert not valid
    assert errors


def without_subscribers_home(claim, provider):
    """Where somebody else is treated, the guide wants neither home nor birth date."""
    subscriber = claim.subscriber
    if claim.patient:
        subscriber = replace(subscriber, birth_date=None, sex="U", address=None)
    return replace(claim, billing_provider=provider, subscriber=subscriber)


@pytest.mark.parametrize("seed", SEEDS)
def test_pyx12_finds_no_error_in_claims_that_we_read_elsewhere_and_write_again(capsys, seed):
    read = read_claims(generated(capsys, "837p", seed))
    assert read.refused == ()
    (batch,) = read.batches
    provider = replace(
        batch.claims[0].billing_provider,
        npi="1234567893",
        address=replace(batch.claims[0].billing_provider.address, postal_code="627011234"),
    )
    claims = tuple(without_subscribers_home(claim, provider) for claim in batch.claims)
    ours = replace(BATCH, claims=claims)
    data = write_claims(TO_PAYER, ours)
    assert read_claims(data).batches == (ours,)
    assert judged(data) == (True, [])


def test_pyx12_finds_no_error_in_our_remittances():
    assert judged(remittance_file()) == (True, [])


def test_pyx12_finds_no_error_in_our_acknowledgments():
    broken = claims_file().replace(b"CLM*C-2*150.5", b"CLM*C-2*nothing")
    for data in (claims_file(), broken, claims_file().replace(b"SE*", b"SE*1")):
        answers = acknowledge(parse(data), read_claims(data).refused)
        assert judged(write_acknowledgments(TO_CLINIC, answers)) == (True, [])
    assert judged(write_claim_reports(TO_CLINIC, [REPORT])) == (True, [])


def test_x12sdk_reads_our_claims_and_remittances_and_writes_the_same():
    for data in (claims_file(), remittance_file()):
        with X12ModelReader(data.decode()) as reader:
            (model,) = reader.models()
        body = data[data.index(b"ST*") : data.index(b"GE*")]
        assert model.x12().replace("\n", "").encode() == body


@pytest.mark.parametrize("kind", ["837p", "835", "837i", "834"])
@pytest.mark.parametrize("seed", SEEDS)
def test_generated_files_go_through_byte_by_byte(capsys, kind, seed):
    capsys.readouterr()
    count = [] if kind == "834" else ["--claims", "10"]
    generator.main([kind, "--seed", str(seed), *count])
    data = capsys.readouterr().out.encode()
    interchange = parse(data)
    assert refusals(interchange) == ()
    assert write(interchange) == data


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_remittances_balance_and_are_read_back_after_we_write_them(capsys, seed):
    read = read_remittances(generated(capsys, "835", seed))
    assert read.refused == ()
    again = read_remittances(write_remittances(TO_CLINIC, read.remittances))
    assert again == read


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_ten_thousand_generated_claims_go_through_byte_by_byte(capsys, record_property):
    claims = 0
    for seed in range(50):
        data = generated(capsys, "837p", seed, 100)
        assert write(parse(data)) == data
        claims += len(read_claims(data).batches[0].claims)
        data = generated(capsys, "835", seed, 100)
        assert write(parse(data)) == data
        claims += len(read_remittances(data).remittances[0].claims)
    assert claims == 10_000
    record_property("claims", claims)
