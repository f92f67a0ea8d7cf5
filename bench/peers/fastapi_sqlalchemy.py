"""FastAPI with SQLAlchemy's asynchronous ORM and asyncpg, as their guides show them together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, ForeignKey, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

from bench.peers import tokens
from bench.peers.shared import EDITABLE, LIMIT, envelope, page

engine = create_async_engine("postgresql+asyncpg://", pool_size=10, max_overflow=0)  # the server is in PG… variables
sessions = async_sessionmaker(engine, expire_on_commit=False)
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))]


class Base(DeclarativeBase):
    pass


class Campaign(Base):
    __tablename__ = "campaigns_campaign"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str | None]
    name: Mapped[str]
    description: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class Step(Base):
    __tablename__ = "campaigns_campaignstep"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns_campaign.id"))
    position: Mapped[int] = mapped_column(BigInteger)
    template_id: Mapped[str]
    template_version_id: Mapped[str]
    delay_minutes: Mapped[int]
    variables: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


Natural = Annotated[int, Field(ge=0, le=2_147_483_647, strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=255)]


class NewStep(BaseModel):
    position: Natural
    template_id: Text
    template_version_id: Text
    delay_minutes: Natural = 0
    variables: dict[str, Any] = {}


class ShownStep(NewStep):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    campaign_id: UUID


class ShownCampaign(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    external_id: str | None
    name: str
    description: str
    status: str
    created_at: datetime
    updated_at: datetime
    step_count: int
    total_delay_minutes: int


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    next: str | None
    previous: str | None
    results: list[T]


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


def caller(authorization: Annotated[str | None, Header()] = None) -> str:
    try:
        return tokens.subject(authorization)
    except tokens.Unauthorized as error:
        raise HTTPException(401) from error


class StateError(Exception):
    pass


app = FastAPI(dependencies=[Depends(caller)])
Session = Annotated[AsyncSession, Depends(session)]
ROOT = "/v1/messaging/campaigns"


@app.exception_handler(StateError)
async def refused(_request: Request, error: StateError) -> JSONResponse:
    return JSONResponse(envelope("bad_state", str(error)), 412)


async def existing(db: AsyncSession, id: UUID, *, lock: bool = False) -> Campaign:
    found = await db.get(Campaign, id, with_for_update={"read": True} if lock else None)
    if found is None:
        raise HTTPException(404)
    return found


@app.post(ROOT + "/{id}/steps", status_code=201)
async def add_step(id: UUID, body: NewStep, db: Session) -> ShownStep:
    async with db.begin():
        if (await existing(db, id, lock=True)).status not in EDITABLE:
            raise StateError("The campaign can't be changed.")
        step = Step(campaign_id=id, **body.model_dump())
        db.add(step)
        try:
            await db.flush()
        except IntegrityError as error:
            raise StateError("The position is taken.") from error
    return ShownStep.model_validate(step)


@app.get(ROOT + "/{id}/steps")
async def list_steps(id: UUID, db: Session) -> Page[ShownStep]:
    await existing(db, id)
    steps = await db.scalars(select(Step).where(Step.campaign_id == id).order_by(Step.position).limit(LIMIT))
    return Page[ShownStep].model_validate(page([ShownStep.model_validate(step) for step in steps]))


def with_totals() -> Any:
    count, minutes = func.count(Step.id), func.coalesce(func.sum(Step.delay_minutes), 0)
    return (
        select(Campaign, count.label("step_count"), minutes.label("total_delay_minutes"))
        .outerjoin(Step, Step.campaign_id == Campaign.id)
        .group_by(Campaign.id)
        .order_by(Campaign.id)
    )


def shown(row: Any) -> ShownCampaign:
    campaign, count, minutes = row
    fields = {name: getattr(campaign, name) for name in ShownCampaign.model_fields if hasattr(campaign, name)}
    return ShownCampaign(**fields, step_count=count, total_delay_minutes=minutes)


@app.get(ROOT + "/{id}")
async def get_campaign(id: UUID, db: Session) -> ShownCampaign:
    row = (await db.execute(with_totals().where(Campaign.id == id))).first()
    if row is None:
        raise HTTPException(404)
    return shown(row)


@app.get(ROOT)
async def list_campaigns(db: Session) -> Page[ShownCampaign]:
    rows = await db.execute(with_totals().limit(LIMIT))
    return Page[ShownCampaign].model_validate(page([shown(row) for row in rows]))
