/** Headings of columns whose cells are numbers. */
interface HeadingsProps {
  of: string[];
}

export function NumberHeadings({ of }: HeadingsProps) {
  return (
    <>
      {of.map((name) => (
        <th key={name} scope="col" class="number">
          {name}
        </th>
      ))}
    </>
  );
}
