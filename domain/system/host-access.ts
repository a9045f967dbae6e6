import { type Static, Type } from 'typebox';
import { Id, nullable, Time } from '../wire.ts';
import { HostName, Labels } from './hosts.ts';

/** How hosts get in and stay in: enrolment, their own credential, and the lease on their name. */

/** What a host's credential and an enrolment token begin with, so that neither is taken for anything else. */
export const HOST_CREDENTIAL_PREFIX = 'vrh_';
export const ENROLMENT_TOKEN_PREFIX = 'vre_';

/** A holder that was not heard of for this long may be succeeded by another machine. */
export const LEASE_SECONDS = 15;

export const NewEnrolment = Type.Object(
  {
    name: Type.Optional(HostName),
    expires_in_minutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080, default: 60 })),
    capabilities: Type.Optional(Labels),
  },
  { additionalProperties: false, examples: [{ name: 'lathe', expires_in_minutes: 60 }] },
);
export type NewEnrolment = Static<typeof NewEnrolment>;

const enrolment = {
  id: Id,
  name: nullable(HostName),
  capabilities: Labels,
  created_at: Time,
  expires_at: Time,
};

/** An enrolment that nobody has used yet. */
export const Enrolment = Type.Object(enrolment, { $id: 'Enrolment' });
export type Enrolment = Static<typeof Enrolment>;

export const CreatedEnrolment = Type.Object(
  { ...enrolment, token: Type.String({ description: 'shown this once; good for one host' }) },
  { $id: 'CreatedEnrolment' },
);
export type CreatedEnrolment = Static<typeof CreatedEnrolment>;

export const EnrolRequest = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 200 }), name: HostName },
  { additionalProperties: false },
);
export type EnrolRequest = Static<typeof EnrolRequest>;

/** All that a host needs to know to do its work; secrets among it. */
export const HostSettings = Type.Object(
  {
    name: HostName,
    temporal: Type.Object({
      address: Type.String({ examples: ['temporal.example.org:7233'] }),
      namespace: Type.String(),
      tls: Type.Boolean(),
      api_key: nullable(Type.String()),
    }),
    bus: Type.Object({
      url: Type.String({ examples: ['mqtts://bus.example.org:8883'] }),
      username: Type.String({ examples: ['host-lathe'] }),
      password: nullable(Type.String({ description: 'null: the host’s credential is its password' })),
    }),
    payloads: Type.Object(
      { seals: Type.Boolean(), keys: Type.Array(Type.String()) },
      { description: 'whether what goes into Temporal is sealed; keys in base64, the one that seals first' },
    ),
  },
  { $id: 'HostSettings' },
);
export type HostSettings = Static<typeof HostSettings>;

export const Enrolled = Type.Object(
  {
    credential: Type.String({ description: 'the host’s own, until the host is deleted' }),
    settings: HostSettings,
  },
  { $id: 'Enrolled' },
);
export type Enrolled = Static<typeof Enrolled>;

export const LeaseRequest = Type.Object(
  {
    /** Names one data folder on one machine; the kernel keeps two processes from having it at once. */
    place: Type.String({ minLength: 1, maxLength: 100 }),
    /** For people: where the holder is. */
    machine: Type.String({ minLength: 1, maxLength: 255 }),
  },
  { additionalProperties: false },
);
export type LeaseRequest = Static<typeof LeaseRequest>;

export const LeaseKeep = Type.Object(
  { generation: Type.Integer({ minimum: 1 }), release: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);
export type LeaseKeep = Static<typeof LeaseKeep>;

/** Who holds a host's name: of two, the one with the higher generation. */
export const Lease = Type.Object(
  {
    generation: Type.Integer({ minimum: 1 }),
    is_known: Type.Boolean({
      description: 'whether this holder was heard of over the bus: that it is there, and how its machine is',
    }),
  },
  { $id: 'HostLease' },
);
export type Lease = Static<typeof Lease>;
