"""First names that people use for one another: each line is one name in its forms."""

_FORMS = """
abigail abby gail
albert al bert alberto
alexander alex alec sandy sasha alejandro
alexandra alex sandra sandy sasha alejandra
andrew andy drew andres
anthony tony antonio toño
barbara barb babs
benjamin ben benny benji
catherine katherine kathryn cathy kathy kate katie kitty catalina
charles charlie chuck carlos
christina christine chris tina cristina
christopher chris topher kit cristobal
daniel dan danny
david dave davey
deborah debra deb debbie
dolores lola
dorothy dot dottie
edward ed eddie ted ned eduardo
elizabeth liz lizzie beth betsy betty eliza elisabeth isabel
emily em emmy
eugene gene
frances fran frankie francisca paca
francis frank francisco paco pancho
frederick fred freddy
gabriel gabe
gerald gerry jerry
gregory greg
guadalupe lupe
harold harry hal
helen ellen nell
henry hank harry
ignacio nacho
jacob jake
james jim jimmy jamie jaime
jennifer jen jenny
jessica jess jessie
john jack johnny juan
jonathan jon
jose pepe joseph joe joey
joshua josh
judith judy
kenneth ken kenny
kimberly kim
lawrence larry laurence
leonard len lenny leo
louis lou luis
manuel manny manolo
margaret maggie meg peggy greta margarita
maria mary marie
matthew matt mateo
michael mike mick mickey miguel
nancy nan
nathaniel nathan nate
nicholas nick nico
patricia pat patty trish tricia
patrick pat paddy
peter pete pedro
philip phil phillip felipe
rebecca becky becca
richard rick rich dick ricardo
robert rob bob bobby robbie roberto
ronald ron ronnie
rosario charo
samantha sam
samuel sam sammy
stephanie steph
steven stephen steve esteban
susan sue susie susana
theodore ted theo teddy
theresa teresa terry tess
thomas tom tommy tomas
timothy tim
victoria vicky tori
vincent vince vicente
walter walt
william will bill billy liam guillermo
zachary zach zack
"""
_groups: dict[str, set[int]] = {}
for _number, _line in enumerate(_FORMS.split("\n")):
    for _name in _line.split():
        _groups.setdefault(_name, set()).add(_number)


def are_forms(one: str, other: str) -> bool:
    """Whether both, in small letters, are forms of one name."""
    return bool(_groups.get(one, set()) & _groups.get(other, set()))
