"""Messages of invented people, and the marks and sets that senders use."""

ADT = (
    b"MSH|^~\\&|REG|WEST|POLY|CLINIC|20260301101500+0100||ADT^A01^ADT_A01|M-1|P|2.5.1\r"
    b"EVN|A01|20260301101500\r"
    b"PID|1||4711^^^WEST&1.2.3&ISO^MR~123^^^USSSA^SS||Doe^Jane^Q^^Ms||19800229|F\r"
    b'NK1|1|Doe^John|""|1 Main St^^Springfield\r'
    b"PV1|1|I|W1^101^A||||1234^Quack^Ina|||MED\r"
    b"AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives~Wheeze\r"
    b"DG1|1||I10^Hypertension^I10\r"
    b"PR1|1||0001^Something\r"
    b"IN1|1|PLAN|PAYER\r"
    b"IN2|1\r"
    b"IN1|2|PLAN2|PAYER2\r"
    b"ZPI|own|thing\r"
)
ORU = (
    b"MSH|^~\\&|LAB|WEST|POLY|CLINIC|20260301101500||ORU^R01^ORU_R01|M-2|P|2.5.1\r"
    b"PID|1||4711^^^WEST^MR\r"
    b"PV1|1|O\r"
    b"ORC|RE|P1|F1\r"
    b"OBR|1|P1|F1|24323-8^CMP^LN\r"
    b"NTE|1||of the order\r"
    b"OBX|1|NM|2345-7^Glucose^LN||5.5|mmol/L|3.9-6.1|N|||F\r"
    b"NTE|1||of the result\r"
    b"OBX|2|NM|2951-2^Sodium^LN||140|mmol/L|||||F\r"
    b"SPM|1|S1\r"
    b"OBX|1|ST|X^Of the specimen||clear\r"
    b"OBR|2|P2|F2|718-7^Hb^LN\r"
    b"OBX|1|NM|718-7^Hb^LN||14|g/dL|||||P\r"
)


def head(*, marks: bytes = b"|^~\\&", charset: str = "", control_id: bytes = b"M-9") -> bytes:
    """An MSH segment of those marks and that character set."""
    field, component = marks[:1], marks[1:2]
    kind = component.join((b"ADT", b"A08", b"ADT_A01"))
    fields = [b"REG", b"WEST", b"POLY", b"CLINIC", b"20260301", b"", kind, control_id, b"P", b"2.5"]
    fields += [b""] * 5 + [charset.encode()]
    return b"MSH" + marks + field + field.join(fields) + b"\r"
